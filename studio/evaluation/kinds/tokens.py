"""Judges language models by their loss a token; models that only count, and the base where it had a head, as rivals.

Counting models need the tuned model's tokens to compare with it, so they are made from encoded rows.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.baseline import Baseline
from studio.evaluation.counting import Counting
from studio.evaluation.kinds.base import Facts, Floats, Judge, Progress, Report, judges
from studio.evaluation.metrics import of_losses
from studio.events import Emit
from studio.tasks.base import Item, Prediction, Row, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.evaluation.exam import Contender, Exam
    from studio.inference.predictor import Predictor

MOST_ROWS = 500
"""Test rows scored at most."""
COUNTED_ROWS = 20_000
"""Training rows the counting models read at most."""
EXAMPLES = 8


class TokenJudge(Judge):
    """Predictions are {"loss" (summed), "tokens"}, and {"text"} where something was written."""

    key = "tokens"
    metrics = ("perplexity", "loss")
    answers_exam = False
    counts = True

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        return np.array([[answer["loss"], answer["tokens"]] for answer in answers], np.float64)

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        loss = sums[:, 0] / np.maximum(sums[:, 1], 1)
        return {"perplexity": np.exp(np.minimum(loss, 50.0)), "loss": loss}

    def score(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, float]:
        return of_losses([answer["loss"] for answer in answers], [answer["tokens"] for answer in answers])

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a token."""
        return float(sum(answer["loss"] for answer in answers) / max(sum(answer["tokens"] for answer in answers), 1))

    def shown(self, answer: Prediction) -> str:
        return str(answer.get("text", f"{self.numbers(answer)[0]:.3f}"))

    def numbers(self, answer: Prediction) -> list[float]:
        return [answer["loss"] / max(answer["tokens"], 1)]

    def generate(
        self, task: Task, model: torch.nn.Module, tokenizer: Any, rows: Rows, facts: Facts, tell: Callable[[], None]
    ) -> list[str]:
        """What the model puts in place of hidden words, or how it goes on from the first half of a text."""
        from studio.inference.kinds.tokens import shown_of

        return shown_of(task, model, tokenizer, rows, tell)

    def rivals(self, task: Task, train: Sequence[Item], judged: Sequence[Item], vocabulary: int) -> dict[str, float]:
        """The main metric of the counting models on validation items, by key."""
        counting = Counting(vocabulary).fit(item["labels"] for item in train)
        return {
            key: self.score(counted(task, counting, key, judged), [], {})[task.main_metric]
            for key in counted_kinds(task)
        }

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """The base as it was, where it had a head for this."""
        from studio.inference.kinds.tokens import base_of

        return base_of(tuned, base)

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Any,
        untuned: Any,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        from studio.inference.kinds.tokens import Reader

        reading: Any = Reader(tuned)

        places = range(len(exam.rows))
        if len(places) > MOST_ROWS:
            chosen = sorted(random.Random(exam.seed).sample(places, MOST_ROWS))
            rows, numbers = [exam.rows[place] for place in chosen], [exam.numbers[place] for place in chosen]
            exam = dataclasses.replace(exam, rows=rows, numbers=numbers)
        rivals: dict[str, Baseline] = dict(counting_models(exam, tuned))
        if untuned is not None:
            # Where the base could do it before, what tuning added is the question, and it takes the test as a rival.
            rivals["base"] = Rung("base", untuned)
        report, predictions = super().report(run_dir, exam, rivals, reading, None, progress)
        if report["simple"] == "base":
            kind = report["verdict"]["kind"]
            code = f"verdict.base.{kind}" if kind in ("better", "unclear") else "verdict.base.worse"
            report["verdict"] = {**report["verdict"], "code": code}
        return report, predictions

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """The loss a token, which puts the least foreseen texts first."""
        return {"wrong": round(self.numbers(answer)[0], 4), "tokens": int(answer["tokens"])}

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> Report:
        return {}


class Rung(Baseline):
    """What reads rows by itself, as a rung of the ladder; it is made anew for each report and never saved.

    Of several the one with the least `validation` is the one to beat: the base, else the richer count.
    """

    result = "tokens"
    lower_is_better = True
    whole_rows = True

    def __init__(self, key: str, model: Any) -> None:
        super().__init__()
        self.key = key  # type: ignore[misc]
        self._model, self.bytes = model, int(model.bytes)
        self.validation = 0.0 if key == "base" else None

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        found: list[Prediction] = self._model.predict(rows)
        return found

    def _write(self, folder: Path) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Baseline:
        raise NotImplementedError


class Counts:
    """A counting model that reads rows as the tuned model's task encodes them."""

    def __init__(self, kind: str, counting: Counting, tuned: Predictor) -> None:
        self.kind, self._counting, self._tuned = kind, counting, tuned
        self.bytes = counting.bytes

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        from studio.training.batching import combined, owners

        tuned = self._tuned
        items = tuned.task.encode(list(rows), tuned.tokenizer, tuned.facts, tuned.max_length)
        found = counted(tuned.task, self._counting, self.kind, items)
        return combined(tuned.task, list(rows), owners(items), found, tuned.facts)


def counted_kinds(task: Task) -> tuple[str, ...]:
    """A masked model sees both sides of a word, so that only the word by itself is a fair count."""
    return ("unigram",) if task.peft_type == "MASKED_LM" else ("unigram", "bigram")


def counted(task: Task, counting: Counting, kind: str, items: Sequence[Item]) -> list[Prediction]:
    """What a counting model says of encoded rows: of the very tokens the task's own model is asked for."""
    if task.peft_type != "MASKED_LM":
        return counting.losses(kind, [item["labels"] for item in items])
    from studio.tasks.masks import hidden_tokens

    return counting.at([hidden_tokens(item) for item in items])


def counting_models(exam: Exam, tuned: Predictor) -> dict[str, Rung]:
    """The counting models of a run, from its training rows."""
    train = list(exam.train)
    if len(train) > COUNTED_ROWS:
        train = random.Random(exam.seed).sample(train, COUNTED_ROWS)
    items = tuned.task.encode(train, tuned.tokenizer, tuned.facts, tuned.max_length)
    size = max(
        len(tuned.tokenizer), 1 + max((max(item["input_ids"]) for item in items if item["input_ids"]), default=0)
    )
    counting = Counting(size).fit(item["labels"] for item in items)
    found = {}
    for kind in counted_kinds(tuned.task):
        found[kind] = Rung(kind, Counts(kind, counting, tuned))
        found[kind].rows = len(train)
    return found


judges.register(TokenJudge())
