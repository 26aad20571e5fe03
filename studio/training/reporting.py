"""Hands a finished run to the report: its test rows, the reloaded model, the simple models, and the model untuned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.exam import Exam
from studio.evaluation.kinds.base import judges
from studio.evaluation.report import write_report
from studio.evaluation.rules import with_edits
from studio.events import Emit, Note, Phase
from studio.spec import Spec
from studio.tasks.base import Task
from studio.training.rows import Table
from studio.training.simple import Simple

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor


def report_run(
    run_dir: Path,
    spec: Spec,
    task: Task,
    table: Table,
    facts: dict[str, Any],
    simple: Simple,
    tuned: Predictor | None,
    base: Path | None,
    emit: Emit,
) -> tuple[str, float]:
    """Write report.json and predictions.jsonl; returns the main metric's name and its value on the test rows."""
    emit(Phase("reporting"))
    exam = Exam(task, table.part("test"), table.part_numbers("test"), facts, table.part("train"), spec.seed)
    untuned = None
    if tuned is not None and base is not None:
        untuned = _untuned(task, tuned, base, facts, emit)

    def progress(done: int, total: int) -> None:
        emit(Phase("reporting", done, total))

    # Rules that were edited while the model learnt are judged as they are now.
    report = write_report(run_dir, exam, with_edits(run_dir, simple.models), tuned, untuned, progress)
    return task.main_metric, float(report["test"][task.main_metric])


def _untuned(task: Task, tuned: Predictor, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
    """What the base model says before tuning, as the kind's judge lets it.

    A base that cannot guess costs the report a rung, not the run its report.
    """
    try:
        return judges.get(task.result).untuned(task, tuned, base, facts, emit)
    except UserError as error:
        emit(Note("timeline.untuned_skipped", {"reason": error.text()[:200]}))
        return None
