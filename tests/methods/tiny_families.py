"""A tiny model of each family the studio tunes, with a tokenizer over whole words or bytes, and rows for each task."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tasks"))

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GOOD, BAD = "good great fine lovely".split(), "bad awful cold stale".split()
PLAIN = "the soup room staff was very and a bed it 汤 房间".split()
WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
ENCODERS = {
    "bert": WIDE,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    "roberta": {**WIDE, "pad_token_id": 0},
    "xlm-roberta": {**WIDE, "pad_token_id": 0},
}
DECODERS = {
    "llama": {**WIDE, "num_key_value_heads": 2, "tie_word_embeddings": True, "max_position_embeddings": 128},
    "qwen2": {**WIDE, "num_key_value_heads": 2, "tie_word_embeddings": False, "max_position_embeddings": 128},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
}
SEQ2SEQ = ("t5", "mt5", "bart", "marian")
FAMILIES = {"encoder": tuple(ENCODERS), "decoder": tuple(DECODERS), "seq2seq": SEQ2SEQ}


def family_folder(folder: Path, family: str) -> Path:
    """A base of a few ten thousand random weights, as a folder that the studio takes."""
    if family in SEQ2SEQ:
        from tiny_seq2seq import seq2seq_folder

        return seq2seq_folder(folder, family)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    tokenizer = _bytes() if family in DECODERS else _words()
    torch.manual_seed(3)
    sizes = DECODERS.get(family) or {**ENCODERS[family], "max_position_embeddings": 66}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id} if family in DECODERS else {}
    config = AutoConfig.for_model(family, **sizes, **ends, vocab_size=len(tokenizer))
    kind = AutoModelForCausalLM if family in DECODERS else AutoModelForMaskedLM
    kind.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _words():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    raw = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate([*marks, *GOOD, *BAD, *PLAIN])}, "[UNK]")
    )
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=raw, **dict(zip(names, marks, strict=True)))


def _bytes():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(
        models.BPE({letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<pad>", "<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<pad>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _texts(count: int) -> list[tuple[str, bool]]:
    chance = random.Random(5)
    found = []
    for number in range(count):
        words = chance.choices(PLAIN, k=chance.randint(2, 6)) + chance.choices(GOOD if number % 2 else BAD, k=2)
        chance.shuffle(words)
        found.append((" ".join(words), bool(number % 2)))
    return found


def _entities(text: str) -> str:
    marks = [
        {"start": text.index(word), "end": text.index(word) + len(word), "type": kind}
        for kind, words in (("GOOD", GOOD), ("BAD", BAD))
        for word in words
        if word in text.split()
    ]
    return json.dumps(sorted(marks, key=lambda mark: mark["start"]))


def _both(text: str, other: str) -> dict[str, str]:
    return {"first": text, "second": other}


def _translations() -> list[dict[str, str]]:
    from tiny_seq2seq import pairs

    return pairs(12)


ROWS: dict[str, Callable[[], list[dict[str, str]]]] = {
    "classification": lambda: [{"text": text, "label": "好" if good else "bad"} for text, good in _texts(12)],
    "multilabel": lambda: [{"text": text, "labels": "praise, long" if good else "blame"} for text, good in _texts(12)],
    "ner": lambda: [{"text": text, "entities": _entities(text)} for text, _ in _texts(12)],
    "regression": lambda: [
        {"text": text, "number": f"{4 + len(text) / 10 if good else 1}"} for text, good in _texts(12)
    ],
    "similarity": lambda: [
        {**_both(text, other), "score": "0.9" if good == like else "0.1"}
        for (text, good), (other, like) in zip(_texts(12), [*_texts(24)[14:], *_texts(24)[12:14]], strict=True)
    ],
    "pair_classification": lambda: [
        {**_both(text, "the soup"), "label": "yes" if good else "no"} for text, good in _texts(12)
    ],
    "qa": lambda: [
        {"question": f"the {text.split()[0]} ?", "context": text, "answers": text.split()[-1] if good else ""}
        for text, good in _texts(12)
    ],
    "chat": lambda: [{"instruction": text, "output": "Thanks! 谢谢" if good else "Sorry."} for text, good in _texts(8)],
    "translation": _translations,
    "summarisation": lambda: [{"document": row["source"], "summary": row["target"]} for row in _translations()],
    "causal_lm": lambda: [{"text": text} for text, _ in _texts(8)],
    "masked_lm": lambda: [{"text": text} for text, _ in _texts(12)],
}
"""A dozen rows of each task, by its key. A task that is registered needs an entry here."""
