"""What a report is made from: the test rows with their truths, and who answers them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from studio.files import write_whole
from studio.tasks.base import Prediction, Row, Rows, Task

_TIMED_ROWS, _TIMED_SECONDS = 30, 2.0


class Answering(Protocol):
    """Anything that answers rows: a predictor, a simple model, an untuned guess."""

    def predict(self, rows: Sequence[Any], /) -> list[Prediction]: ...


@dataclass(frozen=True)
class Exam:
    """The test rows of a run. `numbers` are the rows' places in the data version, `facts` the task's facts,
    `train` the training rows (for counting only)."""

    task: Task
    rows: Rows
    numbers: Sequence[int]
    facts: Mapping[str, Any]
    train: Rows = ()
    seed: int = 13


@dataclass
class Contender:
    """One rung of the ladder with its answers to the exam. `milliseconds` is the median time of one answer alone."""

    key: str
    answers: list[Prediction]
    bytes: int
    milliseconds: float

    @cached_property
    def labels(self) -> list[str]:
        """The labels it gave, of kinds whose answer is one."""
        return [answer["label"] for answer in self.answers]


def sit(key: str, model: Answering, questions: Sequence[Any], size: int) -> Contender:
    """Let `model` answer everything at once, then some questions one by one against the clock."""
    return Contender(key, model.predict(questions), size, milliseconds(model.predict, questions))


def milliseconds(predict: Callable[[Sequence[Any]], Any], questions: Sequence[Any]) -> float:
    """The median time of one answer, over at most 30 of them and two seconds, after one unmeasured."""
    if not questions:
        return 0.0
    predict(questions[:1])
    until, spent = time.perf_counter() + _TIMED_SECONDS, []
    for question in questions[:_TIMED_ROWS]:
        start = time.perf_counter()
        predict([question])
        spent.append(time.perf_counter() - start)
        if time.perf_counter() > until:
            break
    return 1000 * median(spent)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all. Raises ValueError for numbers that JSON does not know."""
    write_whole(path, json.dumps(value, ensure_ascii=False, allow_nan=False))


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON lines whole or not at all."""
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def questions_of(exam: Exam) -> list[Row]:
    """The rows as a model sees them: nothing of the truth."""
    truths = exam.task.truth_roles
    return [{role: text for role, text in row.items() if role not in truths} for row in exam.rows]


def texts_of(exam: Exam) -> list[str]:
    """What the rows ask, as the simple models read it."""
    return [exam.task.question(row) for row in exam.rows]


def contenders(
    exam: Exam, simple: Mapping[str, Any], tuned: Any, untuned: Any, progress: Callable[[int, int], None] | None = None
) -> dict[str, Contender]:
    """Every model that answers the exam, in the order of the ladder, by key."""
    texts, rows, found = texts_of(exam), questions_of(exam), {}
    models: list[tuple[str, Any, int]] = [(key, model, model.bytes) for key, model in simple.items()]
    if untuned is not None:
        models.append((getattr(untuned, "key", "untuned"), untuned, int(getattr(untuned, "bytes", 0))))
    if tuned is not None:
        models.append(("tuned", tuned, sum(tuned.parts().values())))
    for number, (key, model, size) in enumerate(models):
        if progress:
            progress(number, len(models))
        whole = key == "tuned" or getattr(model, "whole_rows", False)
        found[key] = sit(key, model, rows if whole else texts, size)
    if progress:
        progress(len(models), len(models))
    return found
