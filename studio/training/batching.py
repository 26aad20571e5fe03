"""Which rows make up which optimizer step, and how rows become tensors.

The order depends on the seed and the epoch alone, so a position is one number (the step) and resuming is exact.
Rows of like length go together: most of the time of a padded batch is spent on padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from studio.tasks.base import Item

if TYPE_CHECKING:
    import torch

_GROUPED_BATCHES = 20
"""Rows are shuffled, then sorted by length within this many batches: enough to save padding, few enough to mix."""
IGNORED = -100

Numbers = np.ndarray[Any, np.dtype[Any]]


class Items(Protocol):
    """Encoded rows. `lengths` are tokens a row, shape (rows,)."""

    @property
    def lengths(self) -> Numbers: ...

    def take(self, rows: Sequence[int]) -> list[Item]:
        """The items of these rows, in that order."""


class ListItems:
    """Items held in memory."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.lengths: Numbers = np.array([len(item.get("input_ids", (0,))) for item in items], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> list[Item]:
        return [self._items[row] for row in rows]


def epoch_batches(lengths: Numbers, batch_size: int, seed: int, epoch: int) -> list[Numbers]:
    """The batches of one epoch as row numbers: every row once, the last batch possibly smaller, lengths alike."""
    chance = np.random.default_rng([seed, epoch])
    order = chance.permutation(len(lengths))
    group = batch_size * _GROUPED_BATCHES
    batches: list[Numbers] = []
    for start in range(0, len(order), group):
        part = order[start : start + group]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[place : place + batch_size] for place in range(0, len(part), batch_size)]
    return [batches[place] for place in chance.permutation(len(batches))]


class Sampler:
    """Batches by optimizer step, without state: `batch(step)` is the same whenever it is asked for."""

    def __init__(self, lengths: Numbers, batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._epoch = -1
        self._batches: list[Numbers] = []

    def batch(self, step: int) -> Numbers:
        """The rows of optimizer step `step`, counted from 1."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = epoch_batches(self._lengths, self._batch_size, self._seed, epoch)
        return self._batches[place]


def micro_batches(rows: Numbers, lengths: Numbers, micro_batch: int) -> Iterator[list[int]]:
    """`rows` in parts of at most `micro_batch`, each of like lengths."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    for start in range(0, len(ordered), micro_batch):
        yield [int(row) for row in ordered[start : start + micro_batch]]


def collate(items: Sequence[Item], pad_id: int, device: str) -> dict[str, torch.Tensor]:
    """A batch of tensors: `input_ids` and `attention_mask` (B, T) padded on the right, or `features` (B, H);
    `labels` (B,) or (B, T). Padding is masked by position, never by token id: pad may equal the end mark."""
    import torch

    batch: dict[str, torch.Tensor] = {}
    if "features" in items[0]:
        batch["features"] = torch.stack([item["features"] for item in items])
    else:
        width = max(len(item["input_ids"]) for item in items)
        ids = torch.full((len(items), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(items), width), dtype=torch.long)
        for place, item in enumerate(items):
            length = len(item["input_ids"])
            ids[place, :length] = torch.tensor(item["input_ids"])
            mask[place, :length] = 1
        batch["input_ids"], batch["attention_mask"] = ids, mask
    if all("labels" in item for item in items):
        batch["labels"] = _labels([item["labels"] for item in items])
    return {name: part.to(device) for name, part in batch.items()}


def _labels(labels: list[Any]) -> torch.Tensor:
    import torch

    if not isinstance(labels[0], (list, tuple)):
        return torch.tensor(labels, dtype=torch.long)
    # What is written may be longer or shorter than what is read.
    padded = torch.full((len(labels), max(len(row) for row in labels)), IGNORED, dtype=torch.long)
    for place, row in enumerate(labels):
        padded[place, : len(row)] = torch.tensor(row)
    return padded
