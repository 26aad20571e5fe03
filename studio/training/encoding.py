"""Rows to items: tokenised ahead of time through `datasets`, cached in the run's folder, read a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.spec import Spec
from studio.tasks.base import Item, Rows, Task
from studio.training.batching import IGNORED, Items, ListItems, Numbers, collate

if TYPE_CHECKING:
    from studio.training.assemble import Assembled

_ENCODE_ROWS = 500
_FEATURE_SHARE = 0.1


class EncodedItems:
    """Items in an Arrow file on disk, read a batch at a time; only the lengths are in memory."""

    def __init__(self, data: Any, lengths: Numbers) -> None:
        self._data, self.lengths = data, lengths

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
        return EncodedItems(data.remove_columns("length"), np.array(data["length"][:], dtype=np.int64))

    def _encode(self, rows: Rows, places: Sequence[int]) -> dict[str, list[Any]]:
        items = self._task.encode([rows[place] for place in places], self._tokenizer, self._facts, self._max_length)
        self._progress(min(self._done + places[0] + len(places), self.total), self.total)
        return {
            "input_ids": [item["input_ids"] for item in items],
            "labels": [item.get("labels") for item in items],
            "length": [len(item["input_ids"]) for item in items],
        }


def _tokenizer_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "chat_template.jinja"):
        file = folder / name
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


class Subset:
    """Some of the rows of other items."""

    def __init__(self, items: Items, rows: Sequence[int]) -> None:
        self._items, self._rows = items, list(rows)
        self.lengths: Numbers = items.lengths[np.array(self._rows, dtype=np.int64)]

    def take(self, rows: Sequence[int]) -> list[Item]:
        return self._items.take([self._rows[row] for row in rows])


def labelled(items: Items, task: Task) -> tuple[Items, list[int]]:
    """The items something can be learnt from, and the rows left out: unknown label, or the whole answer cut off."""
    lost = []
    for start in range(0, len(items.lengths), _ENCODE_ROWS):
        places = range(start, min(start + _ENCODE_ROWS, len(items.lengths)))
        for place, item in zip(places, items.take(places), strict=True):
            labels = item.get("labels")
            if labels is None or (isinstance(labels, list) and all(label == IGNORED for label in labels[1:])):
                lost.append(place)
    if not lost:
        return items, []
    gone = set(lost)
    return Subset(items, [place for place in range(len(items.lengths)) if place not in gone]), lost


def frozen_features(found: Assembled, items: Items, progress: Callable[[int, int], None]) -> Items:
    """What a frozen encoder says about each row, computed once: epochs then cost next to nothing."""
    import torch

    from studio.tasks.heads import core_of
    from studio.training.precision import number_format
    from studio.training.validation import by_length

    core = core_of(found.model).eval()
    features: list[Any] = [None] * len(items.lengths)
    done = 0
    for part in by_length(items.lengths):
        taken = items.take(part)
        batch = collate(taken, found.tokenizer.pad_token_id or 0, found.device)
        with torch.no_grad(), number_format(found.autocast, found.device):
            rows = core.pooled(batch["input_ids"], batch["attention_mask"]).float().cpu()
        for place, item, row in zip(part, taken, rows, strict=True):
            features[place] = {"features": row, "labels": item["labels"]}
        done += len(part)
        progress(done, len(items.lengths))
    return ListItems(features)
