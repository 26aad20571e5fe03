"""How well a model does when its tuning counts only in part: the test metric from the base to the tuned model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.evaluation.exam import Exam, questions_of, write_json
from studio.evaluation.kinds.base import judges
from studio.evaluation.report import REPORT
from studio.spec import Spec

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CHEAP_SECONDS = 10.0
"""What the report may spend on it by itself; above, a person asks for it."""
Curve = list[dict[str, float]]


def able(tuned: Any) -> bool:
    """Whether the tuning of a model can be turned down, and its kind is scored by its answers."""
    return getattr(tuned, "at_strength", None) is not None and judges.get(tuned.task.result).answers_exam


def cheap(report: dict[str, Any]) -> bool:
    """Whether answering the test rows four times more takes no longer than CHEAP_SECONDS."""
    each = next((rung["ms"] for rung in report["ladder"] if rung["key"] == "tuned"), None)
    return each is not None and (len(SHARES) - 1) * each * report["rows"] / 1000 <= CHEAP_SECONDS


def curve(tuned: Predictor, exam: Exam) -> Iterator[tuple[int, Curve | None]]:
    """(test rows answered so far, None) a step at a time, at last all answers' scores: {"strength", "score"} each.

    A step may be anybody's turn afterwards: between two the model counts in full.
    """
    task, judge, found = exam.task, judges.get(exam.task.result), []
    expected = [task.expected(row) for row in exam.rows]
    scored = [place for place, truth in enumerate(expected) if truth is not None]
    questions = questions_of(exam)
    rows, truths = [questions[place] for place in scored], [expected[place] for place in scored]
    assert tuned.at_strength is not None, "asked of a model that is able"
    for number, share in enumerate(SHARES):
        steps, answers = tuned.steps(rows), None
        while answers is None:
            with tuned.at_strength(share):
                count, answers = next(steps)
            yield number * len(rows) + count, None
        score = judge.score(answers, truths, exam.facts)[task.main_metric]
        found.append({"strength": share, "score": float(score)})
    yield len(SHARES) * len(rows), found


def keep(run_dir: Path, found: Curve) -> dict[str, Any]:
    """Write the curve into the run's report; returns the report. An empty one says that it can be measured."""
    report: dict[str, Any] = json.loads((run_dir / REPORT).read_text("utf-8"))
    report["strength"] = found
    write_json(run_dir / REPORT, report)
    return report


def exam_of(run_dir: Path, data: Path, tuned: Predictor) -> Exam:
    """The run's test rows, from the folder of its data version. Raises UserError (`data_gone`)."""
    from studio.training.rows import read_table

    spec = Spec.loads((run_dir / "spec.json").read_text("utf-8"))
    table, _ = read_table(run_dir, spec, tuned.task, data)
    return Exam(tuned.task, table.part("test"), table.part_numbers("test"), tuned.facts, (), spec.seed)
