"""Writes a run's report.json and predictions.jsonl: the verdict, the ladder, and where the model is wrong.

Everything is measured on the test rows, once, with the model as it was reloaded from disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.baseline import Baseline
from studio.evaluation.exam import Answering, Exam, write_json, write_lines
from studio.evaluation.kinds.base import judges
from studio.evaluation.ladder import Progress, Report

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

REPORT, PREDICTIONS = "report.json", "predictions.jsonl"


def write_report(
    run_dir: Path,
    exam: Exam,
    simple: Mapping[str, Baseline],
    tuned: Predictor | None,
    untuned: Answering | Predictor | None = None,
    progress: Progress | None = None,
) -> Report:
    """Answer the exam, write report.json and predictions.jsonl into `run_dir`, return the report.

    `tuned` None makes a report of the simple models alone. `untuned` is what the kind's judge lets the base say before
    tuning. `progress` gets contenders or rows done and
    their number. Raises UserError (`report_rows`) when no test row can be scored.
    """
    judge = judges.get(exam.task.result)
    report, predictions = judge.report(run_dir, exam, simple, tuned, untuned, progress)
    if rows := exam.facts.get("context"):
        note = {"code": "report.note.context", "values": {"rows": rows}}
        report["notes"] = [*report.get("notes", []), note]
    write_lines(run_dir / PREDICTIONS, predictions)
    write_json(run_dir / REPORT, report)
    return report


def open_cell(run_dir: Path, truth: str, answer: str, offset: int = 0, limit: int = 50) -> tuple[list[Any], int]:
    """The test rows of one cell of the confusion matrix, as in predictions.jsonl, and how many there are.

    Raises UserError (`report_no_cells`) for a run that gives no labels, such as chat.
    """
    found, count = [], 0
    with (run_dir / PREDICTIONS).open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "answer" not in entry:
                raise UserError("report_no_cells", run=run_dir.name)
            if entry["truth"] == truth and entry["answer"] == answer:
                if offset <= count < offset + limit:
                    found.append(entry)
                count += 1
    return found, count
