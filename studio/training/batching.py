"""Which rows make up which optimizer step, and how rows become tensors.

The order depends on the seed and the epoch alone, so a position is one number (the step) and resuming is exact.
Rows of like length go together: most of the time of a padded batch is spent on padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from studio.tasks.base import Item, Prediction, Row, Task

if TYPE_CHECKING:
    import torch

_GROUPED_BATCHES = 20
"""Rows are shuffled, then sorted by length within this many batches: enough to save padding, few enough to mix."""
IGNORED = -100
BELOW = "below"
"""What an item and a batch hold of layers that were computed ahead (`studio.training.bottom`)."""

Numbers = np.ndarray[Any, np.dtype[Any]]


class Items(Protocol):
    """Encoded rows: an item each, or several where a long row is read in windows. `lengths` are tokens an item, `rows`
    the row of each item, both of shape (items,)."""

    @property
    def lengths(self) -> Numbers: ...

    @property
    def rows(self) -> Numbers: ...

    def take(self, rows: Sequence[int]) -> list[Item]:
        """The items at these places, in that order."""


class ListItems:
    """Items held in memory. `rows`: the row of each item, where that is not its own place."""

    def __init__(self, items: Sequence[Item], rows: Numbers | None = None) -> None:
        self._items = items
        self.lengths: Numbers = np.array([_length(item) for item in items], dtype=np.int64)
        self.rows: Numbers = np.array(owners(items), dtype=np.int64) if rows is None else rows

    def take(self, rows: Sequence[int]) -> list[Item]:
        return [self._items[row] for row in rows]


def _length(item: Item) -> int:
    """Tokens of an item; 1 for one vector a row."""
    features = item.get("features")
    if features is not None:
        return len(features) if features.dim() == 2 else 1
    return len(item.get("input_ids", (0,)))


def owners(items: Sequence[Item]) -> list[int]:
    """The place of each item's row among the rows encoded together."""
    return [int(item.get("row", place)) for place, item in enumerate(items)]


def combined(
    task: Task, rows: Sequence[Row], owner: Sequence[int], found: Sequence[Prediction], facts: dict[str, Any]
) -> list[Prediction]:
    """One prediction a row from those of its windows, which stand in their order; `owner` is the row of each."""
    windows: list[list[Prediction]] = [[] for _ in rows]
    for place, prediction in zip(owner, found, strict=True):
        windows[place].append(prediction)
    return [task.combine(parts, row, facts) for parts, row in zip(windows, rows, strict=True)]


def epoch_batches(
    lengths: Numbers,
    batch_size: int,
    seed: int,
    epoch: int,
    rows: Numbers | None = None,
    times: list[tuple[Numbers, int]] | None = None,
) -> list[Numbers]:
    """The batches of one epoch as places of items: each once, the last batch possibly smaller, lengths alike. With
    `rows`, the row of each item, one item of every row, drawn by chance. With `times` (see `drawing`) as many of each
    group as it says."""
    chance = np.random.default_rng([seed, epoch])
    order = chance.permutation(len(lengths))
    if rows is not None:
        _, first = np.unique(rows[order], return_index=True)
        order = order[np.sort(first)]
    if times is not None:
        order = chance.permutation(_drawn(order, times))
    group = batch_size * _GROUPED_BATCHES
    batches: list[Numbers] = []
    for start in range(0, len(order), group):
        part = order[start : start + group]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[place : place + batch_size] for place in range(0, len(part), batch_size)]
    return [batches[place] for place in chance.permutation(len(batches))]


def drawing(pulls: Sequence[float], total: int, rows: Numbers | None = None) -> list[tuple[Numbers, int]]:
    """How often items are drawn in an epoch of `total`: groups of equally strong pull, (places, how many of them).

    The same in every epoch, so that all have the same number of steps; of the windows of one row (`rows`) one counts.
    """
    strength = np.asarray(pulls, dtype=np.float64)
    kinds, group = np.unique(strength, return_inverse=True)
    places = [np.flatnonzero(group == number) for number in range(len(kinds))]
    sizes = np.array([len(part if rows is None else np.unique(rows[part])) for part in places])
    wanted = total * sizes * kinds / float((sizes * kinds).sum())
    counts = np.floor(wanted).astype(np.int64)
    for number in np.argsort(counts - wanted, kind="stable")[: total - int(counts.sum())]:
        counts[number] += 1
    return [(part, int(count)) for part, count in zip(places, counts, strict=True)]


def _drawn(order: Numbers, times: list[tuple[Numbers, int]]) -> Numbers:
    """As many items of each group as wanted, in turn as `order` has them: what is left over follows from its chance."""
    parts = [(order[np.isin(order, places)], count) for places, count in times]
    return np.concatenate([np.resize(part, count) for part, count in parts])


class Sampler:
    """Batches by optimizer step, without state: `batch(step)` is the same whenever it is asked for. `one_window` takes
    one item of each row in every epoch (`Task.one_window`); `pulls` draws some items more often than others
    (`Task.pulls`), an epoch being as long as without."""

    def __init__(
        self,
        items: Items,
        batch_size: int,
        seed: int,
        one_window: bool = False,
        pulls: Sequence[float] | None = None,
    ) -> None:
        self._lengths, self._batch_size, self._seed = items.lengths, batch_size, seed
        self._rows = items.rows if one_window else None
        self.rows_per_epoch = len(np.unique(items.rows)) if one_window else len(items.lengths)
        self.steps_per_epoch = -(-self.rows_per_epoch // batch_size)
        self._times = None if pulls is None else drawing(pulls, self.rows_per_epoch, self._rows)
        self._epoch = -1
        self._batches: list[Numbers] = []

    def batch(self, step: int) -> Numbers:
        """The rows of optimizer step `step`, counted from 1."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = epoch_batches(self._lengths, self._batch_size, self._seed, epoch, self._rows, self._times)
        return self._batches[place]


def micro_batches(rows: Numbers, lengths: Numbers, micro_batch: int, most_tokens: int = 0) -> Iterator[list[int]]:
    """`rows` in parts of at most `micro_batch`, each of like lengths; and of at most `most_tokens` (0: no bound), which
    only a single row may exceed."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    if not most_tokens:
        for start in range(0, len(ordered), micro_batch):
            yield [int(row) for row in ordered[start : start + micro_batch]]
        return
    part: list[int] = []
    for row in map(int, ordered):
        # The longest comes last, and all others are padded to it.
        if part and (len(part) == micro_batch or (len(part) + 1) * int(lengths[row]) > most_tokens):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def collate(
    items: Sequence[Item], pad_id: int, device: str, blanks: Mapping[str, int] | None = None
) -> dict[str, torch.Tensor]:
    """A batch of tensors, all that every item holds: `input_ids` and `attention_mask` (B, T) padded on the right, or
    `features` (B, H), those of tokens (B, T, H) with their mask; `below` (B, T, H); `labels` (B,) or (B, T); any
    further list of int (B, T) padded by `blanks` (`Task.blanks`), a list of float (B, n) as it is, a number (B,).
    Padding is masked by position, never by token id: pad may equal the end mark."""
    import torch

    batch: dict[str, torch.Tensor] = {}
    if "features" in items[0]:
        parts = [item["features"] for item in items]
        if parts[0].dim() == 2:
            batch["features"] = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
            batch["attention_mask"] = _padded([[1] * len(part) for part in parts], 0)
        else:
            batch["features"] = torch.stack(parts)
    else:
        batch["input_ids"] = _padded([item["input_ids"] for item in items], pad_id)
        batch["attention_mask"] = _padded([[1] * len(item["input_ids"]) for item in items], 0)
    if BELOW in items[0]:
        batch[BELOW] = torch.nn.utils.rnn.pad_sequence([item[BELOW] for item in items], batch_first=True)
    fill = {"labels": IGNORED, **(blanks or {})}
    for name in items[0]:
        if name not in _OWN and all(name in item for item in items):
            batch[name] = _tensor([item[name] for item in items], fill.get(name, 0))
    return {name: part.to(device) for name, part in batch.items()}


_OWN = frozenset({"input_ids", "attention_mask", "features", "row", BELOW})
"""What is made here or says nothing to a model."""


def _padded(lists: Sequence[Sequence[int]], blank: int) -> torch.Tensor:
    import torch

    made = torch.full((len(lists), max(len(one) for one in lists)), blank, dtype=torch.long)
    for place, one in enumerate(lists):
        made[place, : len(one)] = torch.tensor(one, dtype=torch.long)
    return made


def _tensor(values: list[Any], blank: int) -> torch.Tensor:
    import torch

    if not isinstance(values[0], (list, tuple)):
        return torch.tensor(values, dtype=torch.float32 if isinstance(values[0], float) else torch.long)
    if any(isinstance(number, float) for one in values for number in one):
        return torch.tensor(values, dtype=torch.float32)
    return _padded(values, blank)
