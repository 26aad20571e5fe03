"""How well a model reads some texts, told by its tokenizer alone: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

MOST_CHARACTERS = 20_000
"""Characters of one text that are looked at."""


@lru_cache(maxsize=8)
def _tokenizer(path: str, changed: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _encoded(folder: Path, texts: Sequence[str]) -> list[list[int]]:
    path = folder / "tokenizer.json"
    tokenizer = _tokenizer(str(path), path.stat().st_mtime_ns)
    cut = [text[:MOST_CHARACTERS] for text in texts]
    return [encoding.ids for encoding in tokenizer.encode_batch(cut, add_special_tokens=False)]


def token_lengths(folder: Path, texts: Sequence[str]) -> list[int]:
    """Tokens a text, with the two that most models put around it."""
    return [len(ids) + 2 for ids in _encoded(folder, texts)]


def reads_your_text(folder: Path, texts: Sequence[str]) -> float:
    """The share of the texts' tokens that are not the unknown token; 1.0 for a tokenizer that has none."""
    path = folder / "tokenizer.json"
    unknown = _unknown(_tokenizer(str(path), path.stat().st_mtime_ns))
    ids = [number for found in _encoded(folder, texts) for number in found]
    if unknown is None or not ids:
        return 1.0
    return 1.0 - sum(number == unknown for number in ids) / len(ids)


def _unknown(tokenizer: Any) -> int | None:
    """The id of the unknown token, whatever the model calls it."""
    for name in ("[UNK]", "<unk>", "<|unk|>"):
        number = tokenizer.token_to_id(name)
        if number is not None:
            return int(number)
    return None
