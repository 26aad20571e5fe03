"""Texts longer than a model's window, read in several overlapping ones, for tasks whose answer is one for the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from studio.tasks.base import Prediction

OVERLAP = 0.125
"""Share of a window that the next one repeats, so that no sentence is only ever seen torn."""
_LEAST = 8
"""Tokens by which a window goes on at least."""


def count(length: int, max_length: int, most: int) -> int:
    """How many windows of `max_length` tokens a text of `length` tokens is read in, at most `most`."""
    if length <= max_length or most <= 1:
        return 1
    step = max(_LEAST, max_length - int(OVERLAP * max_length))
    return min(most, 1 + math.ceil((length - max_length) / step))


def overlap(tokenizer: Any, max_length: int) -> int:
    """Tokens that a window repeats of the one before it."""
    room = int(max_length - tokenizer.num_special_tokens_to_add(pair=False))
    return max(0, min(int(OVERLAP * max_length), room - _LEAST))


def windows(texts: Sequence[str], tokenizer: Any, max_length: int, most: int) -> list[list[list[int]]]:
    """The token ids of each text's windows, special tokens included, in their order. Of a text that has more than
    `most`, those are kept that lie evenly over it, the first and the last among them."""
    if not texts:
        return []
    if most <= 1 or not tokenizer.is_fast:
        return [[ids] for ids in tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]]
    coded = tokenizer(
        list(texts),
        truncation=True,
        max_length=max_length,
        stride=overlap(tokenizer, max_length),
        return_overflowing_tokens=True,
    )
    found: list[list[list[int]]] = [[] for _ in texts]
    for ids, owner in zip(coded["input_ids"], coded["overflow_to_sample_mapping"], strict=True):
        found[owner].append(ids)
    return [_spread(parts, most) for parts in found]


def _spread(parts: list[list[int]], most: int) -> list[list[int]]:
    if len(parts) <= most:
        return parts
    return [parts[round(place * (len(parts) - 1) / (most - 1))] for place in range(most)]


def mean_scores(found: Sequence[Prediction]) -> dict[str, float]:
    """The mean of each label's probability over the windows of a text."""
    if len(found) == 1:
        only: dict[str, float] = found[0]["scores"]
        return only
    return {label: sum(one["scores"][label] for one in found) / len(found) for label in found[0]["scores"]}
