"""Scores a model on the validation rows while it trains, and shows how it answers five fixed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.metrics import score
from studio.tasks.base import Prediction, Row, Task
from studio.training.batching import Items, collate
from studio.training.job import Score

if TYPE_CHECKING:
    import torch

SHOWN = 5
ANSWER_TOKENS = 48
_BATCH_ROWS = 64
_BATCH_TOKENS = 4096
_PROMPT_TOKENS = 512
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
    ) -> None:
        self._task, self._facts, self._tokenizer = task, facts, tokenizer
        self._items, self._rows, self._numbers = items, rows, numbers
        self._device, self._progress = device, progress
        self._pad = tokenizer.pad_token_id or 0
        self._truths = [task.truth(row) for row in rows]
        self._shown = choose(self._truths if task.result == "labels" else [None] * len(rows), items.lengths, seed)

    def __call__(self, model: torch.nn.Module) -> Score:
        """Mean loss, metrics and the shown rows. The model has to be in evaluation mode."""
        predictions = self.read(model)
        metrics = score(self._task.result, predictions, self._truths, self._facts)
        loss = mean_loss(self._task.result, predictions, self._truths)
        samples = self.answers(model) if self._task.result == "chat" else self._labels(predictions)
        # One row more or less is chance: on a few dozen rows it would choose among the evaluations by luck.
        tie = 1.5 / max(len(self._rows), 1) if self._task.result == "labels" else 0.0
        return Score(loss, metrics, metrics[self._task.main_metric], samples, tie)

    def read(self, model: torch.nn.Module) -> list[Prediction]:
        """One prediction a validation row, in their order; computed by length."""
        predictions: list[Prediction] = [{} for _ in self._rows]
        done = 0
        for part in by_length(self._items.lengths):
            batch = collate(self._items.take(part), self._pad, self._device)
            for place, prediction in zip(part, self._task.read(model, batch, self._facts), strict=True):
                predictions[place] = prediction
            done += len(part)
            self._progress(done, len(self._rows))
        return predictions

    def answers(self, model: torch.nn.Module) -> list[dict[str, Any]]:
        """The likeliest answers, at most `ANSWER_TOKENS` tokens each, to the shown prompts."""
        from studio.inference.generation import answer_batch, stop_ids
        from studio.tasks.chat import messages_of, prompt_of, render

        prompts = []
        for place in self._shown:
            text = render(self._tokenizer, prompt_of(messages_of(self._rows[place]))[0], open_answer=True)
            prompts.append(self._tokenizer(text, add_special_tokens=False)["input_ids"][-_PROMPT_TOKENS:])
        found: Sequence[str] = [""] * len(prompts)
        if prompts:
            stops = stop_ids(model, self._tokenizer)
            for texts in answer_batch(model, self._tokenizer, prompts, ANSWER_TOKENS, stops):
                self._progress(len(self._rows), len(self._rows))
                found = texts if texts is not None else found
        return [self._row(place, answer, None, None) for place, answer in zip(self._shown, found, strict=True)]

    def _labels(self, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
        shown = []
        for place in self._shown:
            label = predictions[place]["label"]
            shown.append(
                self._row(place, label, label == self._truths[place], round(predictions[place]["scores"][label], 4))
            )
        return shown

    def _row(self, place: int, answer: str, right: bool | None, certainty: float | None) -> dict[str, Any]:
        row = self._rows[place]
        return {
            "row": int(self._numbers[place]),
            "text": self._task.question(row)[:_TEXT],
            "truth": (self._task.truth(row) or "")[:_TEXT],
            "answer": answer,
            "right": right,
            "score": certainty,
        }


def mean_loss(result: str, predictions: Sequence[Prediction], truths: Sequence[str | None]) -> float:
    """Cross-entropy a row (labels) or a token (chat), from predictions alone: no second forward pass is needed."""
    if result == "chat":
        tokens = sum(prediction["tokens"] for prediction in predictions)
        return float(sum(prediction["loss"] for prediction in predictions) / max(tokens, 1))
    losses = [
        -math.log(max(prediction["scores"][truth], 1e-30))
        if prediction["scores"][truth] == prediction["scores"][truth]
        else math.nan
        for prediction, truth in zip(predictions, truths, strict=True)
        if truth in prediction["scores"]
    ]
    return sum(losses) / max(len(losses), 1)


def by_length(lengths: Any) -> list[list[int]]:
    """Batches of like lengths, bounded in rows and tokens."""
    batches: list[list[int]] = []
    longest = 0
    for place in np.argsort(lengths, kind="stable"):
        longest = max(longest, int(lengths[place]), 1)
        full = not batches or len(batches[-1]) >= _BATCH_ROWS or (len(batches[-1]) + 1) * longest > _BATCH_TOKENS
        if full:
            batches.append([])
            longest = max(int(lengths[place]), 1)
        batches[-1].append(int(place))
    return batches


def choose(truths: Sequence[str | None], lengths: Any, seed: int, count: int = SHOWN) -> list[int]:
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
