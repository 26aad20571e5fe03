"""Reports on a saved model as anybody would find it: loaded from the disk, compared, and judged on the test rows.

Nothing here knows the model that was trained, so it may run in another process than the training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation import strength
from studio.evaluation.baseline import Baseline, load_all
from studio.evaluation.exam import Exam
from studio.evaluation.kinds.base import judges
from studio.evaluation.report import write_report
from studio.evaluation.rules import with_edits
from studio.events import Emit, Event, Note, Phase
from studio.methods.base import methods
from studio.spec import Spec
from studio.tasks.base import Task, tasks
from studio.training.job import Asked, Stop
from studio.training.rows import Inputs, Table, read_table
from studio.training.saving import answers, as_trained, check_reloaded
from studio.training.settling import settle_threads
from studio.training.trained import damaged_file, read_trained

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

Report = Callable[[Path, Spec, Inputs, Emit, Stop], tuple[str, float]]
"""Reports on the saved model of a run: the main metric and its value. Raises Asked on a wish to stop."""


def report_saved(run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, should_stop: Stop) -> tuple[str, float]:
    """Load what is saved, make sure that it is what was trained, and write the report.

    Raises UserError (`model_damaged`, `reload_differs`, what loading raises) and Asked.
    """

    def told(event: Event) -> None:
        if should_stop() == "stop":
            raise Asked
        emit(event)

    task = tasks.get(spec.task)
    settle_threads(run_dir, inputs.hardware)
    tuned = _reloaded(run_dir, inputs, told)
    table, _ = read_table(run_dir, spec, task, inputs.data)
    facts = tuned.facts if tuned else task.facts(table.part("train"), task.Options())
    simple = load_all(run_dir) if task.kind.simple else {}
    return report_run(run_dir, spec, task, table, facts, simple, tuned, inputs.model, told)


def _reloaded(run_dir: Path, inputs: Inputs, emit: Emit) -> Predictor | None:
    """The saved model, which answers like the trained one; None for a run that trained none."""
    from studio.inference.predictor import Predictor

    trained = read_trained(run_dir)
    if trained is None:
        return None
    if name := damaged_file(run_dir, trained):
        raise UserError("model_damaged", file=name)
    tuned = Predictor.load(run_dir, inputs.hardware.device)
    with as_trained(tuned.model, methods.get(str(tuned.about["method"])), trained.precision):
        after = answers(tuned.task, tuned.model, trained.probe, tuned.tokenizer.pad_token_id or 0, tuned.facts)
    gap = check_reloaded(trained.answers, after, trained.precision)
    emit(Note("timeline.reloaded", {"rows": len(trained.probe), "gap": f"{gap:.1e}"}, step=trained.step))
    return tuned


def report_run(
    run_dir: Path,
    spec: Spec,
    task: Task,
    table: Table,
    facts: dict[str, Any],
    simple: Mapping[str, Baseline],
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
    report = write_report(run_dir, exam, with_edits(run_dir, simple), tuned, untuned, progress)
    if tuned is not None and strength.able(tuned):
        strength.keep(run_dir, _strengths(tuned, exam, emit) if strength.cheap(report) else [])
    return task.main_metric, float(report["test"][task.main_metric])


def _strengths(tuned: Predictor, exam: Exam, emit: Emit) -> strength.Curve:
    """The test metric by how much the tuning counts."""
    total = len(strength.SHARES) * len(exam.rows)
    found: strength.Curve = []
    for done, curve in strength.curve(tuned, exam):
        emit(Phase("reporting", min(done, total), total))
        found = curve or found
    return found


def _untuned(task: Task, tuned: Predictor, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
    """What the base model says before tuning, as the kind's judge lets it.

    A base that cannot guess costs the report a rung, not the run its report.
    """
    try:
        # Where the base did not fit in memory whole, it has to be asked as it was kept.
        method, judge = methods.get(str(tuned.about["method"])), judges.get(task.result)
        return method.open(lambda: judge.untuned(task, tuned, base, facts, emit))
    except UserError as error:
        emit(Note("timeline.untuned_skipped", {"reason": error.text()[:200]}))
        return None
