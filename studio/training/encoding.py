"""Rows to items: tokenised ahead of time through `datasets`, cached in the run's folder, read a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.spec import Spec
from studio.tasks.base import Item, Rows, Task
from studio.training.batching import IGNORED, Items, ListItems, Numbers, collate, owners

if TYPE_CHECKING:
    from studio.training.assemble import Assembled

_ENCODE_ROWS = 500
_FEATURE_SHARE = 0.1


class EncodedItems:
    """Items in an Arrow file on disk, read a batch at a time; only lengths and row numbers are in memory."""

    def __init__(self, data: Any, lengths: Numbers, rows: Numbers) -> None:
        self._data, self.lengths, self.rows = data, lengths, rows

    def take(self, rows: Sequence[int]) -> list[Item]:
        columns = self._data[list(rows)]
        items: list[Item] = []
        for place in range(len(rows)):
            item = {name: values[place] for name, values in columns.items() if values[place] is not None}
            items.append(item)
        return items


class Coder:
    """Encodes rows through `datasets`, cached in the run's folder by data, tokenizer, task and length."""

    total = 0

    def __init__(
        self,
        run_dir: Path,
        spec: Spec,
        model: Path,
        task: Task,
        tokenizer: Any,
        facts: dict[str, Any],
        max_length: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self._task, self._tokenizer, self._facts, self._max_length = task, tokenizer, facts, max_length
        self._progress, self._done = progress, 0
        self._folder = run_dir / "cache" / "encoded"
        parts = [spec.data, spec.columns, task.key, facts, max_length, _tokenizer_hash(model)]
        self._key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def items(self, name: str, rows: Rows) -> Items:
        from datasets import Dataset

        self._folder.mkdir(parents=True, exist_ok=True)
        key = f"{name}-{self._key}-{len(rows)}"
        # The map runs over row numbers: the rows stay as they are, and the fingerprint is ours, not a hash of code.
        data = Dataset.from_dict({"place": range(len(rows))}).map(
            lambda batch: self._encode(rows, batch["place"]),
            batched=True,
            batch_size=_ENCODE_ROWS,
            remove_columns=["place"],
            cache_file_name=str(self._folder / f"{key}.arrow"),
            new_fingerprint=key,
        )
        self._done += len(rows)
        self._progress(min(self._done, self.total), self.total)
        lengths, owner = (np.array(data[column][:], dtype=np.int64) for column in ("length", "row"))
        return EncodedItems(data.remove_columns(["length", "row"]), lengths, owner)

    def _encode(self, rows: Rows, places: Sequence[int]) -> dict[str, list[Any]]:
        items = self._task.encode([rows[place] for place in places], self._tokenizer, self._facts, self._max_length)
        self._progress(min(self._done + places[0] + len(places), self.total), self.total)
        names = {"input_ids": None, "labels": None} | {name: None for item in items for name in item}
        encoded = {name: [item.get(name) for item in items] for name in names if name != "row"}
        # A long row may give several windows: the map may grow.
        encoded["row"] = [places[row] for row in owners(items)]
        encoded["length"] = [len(item["input_ids"]) for item in items]
        return encoded


def _tokenizer_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "chat_template.jinja"):
        file = folder / name
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


class Subset:
    """Some of the items of other items; `renumbered` maps the rows that are left to their new numbers."""

    def __init__(self, items: Items, places: Sequence[int], renumbered: Mapping[int, int] | None = None) -> None:
        self._items, self._places = items, list(places)
        chosen = np.array(self._places, dtype=np.int64)
        self.lengths: Numbers = items.lengths[chosen]
        self.rows: Numbers = items.rows[chosen]
        if renumbered is not None:
            self.rows = np.array([renumbered[int(row)] for row in self.rows], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> list[Item]:
        return self._items.take([self._places[row] for row in rows])


def labelled(items: Items, task: Task, whole: bool = False) -> tuple[Items, list[int]]:
    """The items something can be learnt from, and the rows left out, of which no item is: unknown label, or the whole
    answer cut off. `whole` keeps every window of a row that stays, and numbers the rows anew, for scoring them."""
    taught: set[int] = set()
    lost: list[int] = []
    for start in range(0, len(items.lengths), _ENCODE_ROWS):
        places = range(start, min(start + _ENCODE_ROWS, len(items.lengths)))
        for place, item in zip(places, items.take(places), strict=True):
            labels = item.get("labels")
            if labels is None or (isinstance(labels, list) and _nothing(labels)):
                lost.append(place)
            else:
                taught.add(int(items.rows[place]))
    if not lost:
        return items, []
    rows = [int(row) for row in items.rows]
    gone = sorted(set(rows) - taught)
    if whole:
        kept = {row: number for number, row in enumerate(sorted(taught))}
        return Subset(items, [place for place, row in enumerate(rows) if row in taught], kept), gone
    without = set(lost)
    return Subset(items, [place for place in range(len(rows)) if place not in without]), gone


def labels_of(items: Items) -> list[Any]:
    """The truth of every item, as the task encoded it."""
    found: list[Any] = []
    for start in range(0, len(items.lengths), _ENCODE_ROWS):
        found += [
            item.get("labels") for item in items.take(range(start, min(start + _ENCODE_ROWS, len(items.lengths))))
        ]
    return found


def _nothing(labels: list[Any]) -> bool:
    """Whether a list of labels teaches nothing; the first of token labels is never predicted."""
    return not isinstance(labels[0] if labels else 0, float) and all(label == IGNORED for label in labels[1:])


def frozen_features(found: Assembled, items: Items, progress: Callable[[int, int], None]) -> Items:
    """What a frozen encoder says about each row, computed once: a vector each, or one a token for heads that read
    them all. Epochs then cost next to nothing."""
    import torch

    from studio.evaluation.kinds.base import judges
    from studio.tasks.heads import core_of, inputs_of
    from studio.training.precision import number_format
    from studio.training.validation import by_length

    judge = judges.get(found.task.result)
    core = core_of(found.model).eval()
    features: list[Any] = [None] * len(items.lengths)
    done = 0
    for part in by_length(items.lengths):
        taken = items.take(part)
        batch = collate(taken, found.tokenizer.pad_token_id or 0, found.device, found.task.blanks)
        with torch.no_grad(), number_format(found.autocast, found.device):
            rows = core.features_of(**inputs_of(batch)).float().cpu()
        for place, item, row in zip(part, taken, rows, strict=True):
            # Of vectors a token, those of the padding are left away.
            kept = row[: len(item["input_ids"])].clone() if row.dim() == 2 else row
            rest = {name: part for name, part in item.items() if name not in ("input_ids", "token_type_ids")}
            features[place] = {**rest, "features": kept, "labels": judge.target(item)}
        done += len(part)
        progress(done, len(items.lengths))
    return ListItems(features, items.rows)
