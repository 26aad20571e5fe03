"""Tiny real models made in a moment: a Llama-like chat model whose pad, eos and end of turn are one token."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WORDS = "the cat sat on a mat and dogs ran far away to see 店 外卖 好吃 不错 hello world red blue green one two three".split()


def byte_tokenizer(eos: str = "<|im_end|>"):
    """A byte-level BPE tokenizer without merges: every text is known, a Chinese character is three tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=eos, pad_token=eos)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def chat_model(tokenizer, seed: int = 0, positions: int = 256):
    """Two layers of 32, random weights, float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).eval()


def save_chat_base(folder: Path, seed: int = 0, positions: int = 256) -> Path:
    """A base model folder as the models room publishes it."""
    tokenizer = byte_tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    chat_model(tokenizer, seed, positions).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_encoder_base(folder: Path, seed: int = 0) -> Path:
    """A BERT of two layers of 32 with a word tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        pad_token_id=0,
        initializer_range=0.3,
    )
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_run(
    home: Path, name: str, base: Path, task_key: str, method_key: str, facts: dict, nudge: float = 0.3, **about
):
    """A run folder as a finished training leaves it: the method's own saved weights, changed from the base by `nudge`.

    Returns (run folder, the tuned model it was saved from).
    """
    import json

    import torch
    from transformers import AutoTokenizer

    from studio.methods.base import methods
    from studio.tasks.base import tasks

    task, method = tasks.get(task_key), methods.get(method_key)
    torch.manual_seed(7)
    model = method.prepare(task.load(str(base), facts, task.Options()), task.peft_type, method.Options())
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += nudge * torch.randn_like(weight)
    run = home / "local" / "runs" / name
    folder = run / "model"
    folder.mkdir(parents=True)
    method.save(model, str(folder))
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    columns = about.pop("columns", {"text": "text", "label": "label"})
    saved = {"task": task_key, "method": method_key, "base": "starter:minilm", "base_folder": str(base)}
    saved |= {"columns": columns, "max_length": 48, "options": {}, **about}
    (folder / "facts.json").write_text(json.dumps(facts))
    (folder / "studio.json").write_text(json.dumps(saved))
    spec = {"name": "My run", "task": task_key, "columns": columns, "model": "starter:minilm", "method": method_key}
    (run / "spec.json").write_text(json.dumps(spec))
    return run, model.eval()


LABELS = {"labels": ["animal", "food", "other"]}
TEXTS = [
    "the cat sat on a mat",
    "好吃",
    "dogs ran far away to see the red blue green one two three",
    "",
    "外卖 不错",
    "world",
]
