"""Tiny real parts for the tests of training: models of two small layers, a data version's folder, a machine."""

from __future__ import annotations

import random
from pathlib import Path

from studio.hardware import Hardware

GOOD = "good great fine lovely fresh warm".split()
BAD = "bad awful cold stale rude slow".split()
PLAIN = "the soup room staff was very and a bed it we had".split()
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def machine(**changes) -> Hardware:
    plain = Hardware(
        device="cpu",
        name="test",
        cores=2,
        memory=16_000_000_000,
        device_memory=0,
        bf16=False,
        precision="fp32",
        precision_reason="reason.precision_fp32_cpu",
        threads=1,
        threads_reason="reason.threads_cores",
        gflops=160.0,
        values={"name": "test", "cores": 2, "threads": 1, "gflops": 160, "gflops_bf16": 0},
    )
    return Hardware(**{**plain.to_json(), **changes})


def save_encoder(folder: Path, dropout: float = 0.1, seed: int = 0, mask: bool = False) -> Path:
    """A BERT of two layers of 32 that knows the words above; with a token that hides others where `mask`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *PLAIN])}
    if mask:
        vocabulary["[MASK]"] = len(vocabulary)
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        **({"mask_token": "[MASK]"} if mask else {}),
    )  # fmt: skip
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_chat(folder: Path, seed: int = 0) -> Path:
    """A Llama of two layers of 32 over bytes; pad, end of text and end of turn are one token, as in SmolLM2."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def reviews(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Rows of text and label; lengths spread, the label follows from the words used."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label, words = ("positive", GOOD) if number % 2 else ("negative", BAD)
        text = chance.choices(PLAIN, k=chance.randint(1, 14)) + chance.choices(words, k=chance.randint(1, 3))
        chance.shuffle(text)
        rows.append({"text": " ".join(text), "label": label})
    return rows


def save_rows(folder: Path, rows: list[dict[str, str | None]]) -> Path:
    """A data version's folder with rows.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: pa.array([row.get(name) for row in rows], pa.large_string()) for name in rows[0]}
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    return folder
