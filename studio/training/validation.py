"""Scores a model on the validation rows while it trains, and shows how it answers five fixed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.kinds.base import judges
from studio.tasks.base import Prediction, Row, Task
from studio.training.batching import Items, collate, combined
from studio.training.job import Score

if TYPE_CHECKING:
    import torch

SHOWN = 5
_BATCH_ROWS = 64
_BATCH_TOKENS = 4096
_TEXT = 400


class Validation:
    """The validation rows, encoded. `rows` are those of the data by role, `numbers` their places in the file."""

    def __init__(
        self,
        task: Task,
        facts: dict[str, Any],
        tokenizer: Any,
        items: Items,
        rows: Sequence[Row],
        numbers: Sequence[int],
        device: str,
        seed: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
        share: float = 1.0,
    ) -> None:
        """`share` of the usual rows are computed at once (0: one)."""
        self._task, self._facts, self._tokenizer = task, facts, tokenizer
        self._items, self._rows, self._numbers = items, rows, numbers
        self._device, self._progress, self._share = device, progress, share
        self._pad = tokenizer.pad_token_id or 0
        self._truths = [task.truth(row) for row in rows]
        spread = self._truths if task.kind.strings else [None] * len(rows)
        self._shown = choose(spread, seed)
        self._judge = judges.get(task.result)
        self._expected = [task.expected(row) for row in rows]
        written = sorted({*self._shown, *_drawn(len(rows), self._judge.written_rows, seed)})
        self._written = written if task.kind.generates else []

    def __call__(self, model: torch.nn.Module) -> Score:
        """Mean loss, metrics and the shown rows. The model has to be in evaluation mode."""
        predictions = self.read(model)
        if self._judge.written_rows:
            self._write(model, predictions)
        metrics = self._judge.score(predictions, self._expected, self._facts)
        loss = self._judge.mean_loss(predictions, self._expected, self._facts)
        if self._written and not self._judge.written_rows:
            self._write(model, predictions)
        samples = [self._row(place, predictions[place]) for place in self._shown]
        tie = self._task.kind.tie_rows / max(len(self._rows), 1)
        return Score(loss, metrics, metrics[self._task.main_metric], samples, tie)

    def read(self, model: torch.nn.Module) -> list[Prediction]:
        """One prediction a validation row, in their order; computed by length."""
        found: list[Prediction] = [{} for _ in self._items.lengths]
        done = 0
        for part in by_length(self._items.lengths, self._share):
            batch = collate(self._items.take(part), self._pad, self._device, self._task.blanks)
            for place, prediction in zip(part, self._task.read(model, batch, self._facts), strict=True):
                found[place] = prediction
            done += len(part)
            self._progress(done, len(found))
        return combined(self._task, self._rows, [int(row) for row in self._items.rows], found, self._facts)

    def settled(self, model: torch.nn.Module) -> dict[str, Any]:
        """The facts that the kind's judge tunes on these rows; those used from now on hold them too."""
        found = self._judge.settle(self.read(model), self._expected, self._facts)
        self._facts.update(found)
        return found

    def _write(self, model: torch.nn.Module, predictions: list[Prediction]) -> None:
        """Answers written token by token, into the predictions of the rows that are written."""

        def tell() -> None:
            self._progress(len(self._rows), len(self._rows))

        rows = [self._rows[place] for place in self._written]
        texts = self._judge.generate(self._task, model, self._tokenizer, rows, self._facts, tell)
        for place, text in zip(self._written, texts, strict=True):
            predictions[place]["text"] = text

    def _row(self, place: int, prediction: Prediction) -> dict[str, Any]:
        row, sure = self._rows[place], self._judge.certainty(prediction)
        return {
            "row": int(self._numbers[place]),
            "text": self._task.question(row)[:_TEXT],
            "truth": (self._task.truth(row) or "")[:_TEXT],
            "answer": self._judge.shown(prediction),
            "right": self._judge.right(prediction, self._expected[place]),
            "score": None if sure is None else round(sure, 4),
        }


def by_length(lengths: Any, share: float = 1.0) -> list[list[int]]:
    """Batches of like lengths, bounded in rows and tokens, of which `share` are taken at once."""
    most_rows, most_tokens = share * _BATCH_ROWS, share * _BATCH_TOKENS
    batches: list[list[int]] = []
    longest = 0
    for place in np.argsort(lengths, kind="stable"):
        longest = max(longest, int(lengths[place]), 1)
        full = not batches or len(batches[-1]) >= most_rows or (len(batches[-1]) + 1) * longest > most_tokens
        if full:
            batches.append([])
            longest = max(int(lengths[place]), 1)
        batches[-1].append(int(place))
    return batches


def _drawn(rows: int, count: int, seed: int) -> list[int]:
    """At most `count` of so many rows, always the same for a seed."""
    return [int(place) for place in np.random.default_rng([seed, 9]).permutation(rows)[:count]]


def choose(truths: Sequence[str | None], seed: int, count: int = SHOWN) -> list[int]:
    """The rows to show at each evaluation: always the same for a seed, one a label before a second of any."""
    chance = np.random.default_rng([seed, 5])
    groups: dict[str, list[int]] = {}
    for place in chance.permutation(len(truths)):
        groups.setdefault(str(truths[place]), []).append(int(place))
    order = [groups[label] for label in sorted(groups, key=lambda label: (-len(groups[label]), label))]
    chosen: list[int] = []
    while len(chosen) < count and any(order):
        for group in order:
            if group and len(chosen) < count:
                chosen.append(group.pop(0))
    return chosen
