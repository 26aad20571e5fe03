"""One training run from its spec to its report, in the worker's process; what happens is told as events.

The worker fetches the model and hands its folder over; it turns an error that is raised here into the final event.
This module emits the final event itself only for ends that are no errors (Done, Stopped) and for non-finite numbers.
"""

from __future__ import annotations

import dataclasses
import gc
import shutil
from pathlib import Path

from studio.errors import UserError
from studio.evaluation.kinds.base import judges
from studio.events import (
    Baseline,
    Caution,
    Done,
    Emit,
    Eval,
    Event,
    Failed,
    Note,
    Phase,
    Plan,
    Resumed,
    Sample,
    Stopped,
)
from studio.spec import Spec
from studio.tasks.base import Task, tasks
from studio.tasks.heads import core_of
from studio.training.assemble import Assembled, assemble
from studio.training.checkpoints import last_step
from studio.training.firsthead import place_head
from studio.training.firstlanguage import learn_language, learnt, wanted
from studio.training.job import Asked, Job, Outcome, Score, Stop
from studio.training.language import PHASE
from studio.training.loop import Loop, validated
from studio.training.memory import PLAN
from studio.training.precision import number_format
from studio.training.preparing import CHECKPOINTS, prepare_job, telling
from studio.training.ranks import joined
from studio.training.reporting import Report, report_saved
from studio.training.rows import Inputs, read_table
from studio.training.saving import CHECKED_ROWS, answers, save_model
from studio.training.settling import settle_threads
from studio.training.simple import Simple
from studio.training.trained import damaged_file, forget_trained, keep_trained, read_trained

__all__ = ["CHECKPOINTS", "Inputs", "train_run"]

SIMPLE_METHOD = "baseline"
COUNTED_ROWS = 20_000
"""Encoded rows from which the models that only count are made, at most."""


def train_run(
    run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, should_stop: Stop, report: Report = report_saved
) -> None:
    """Train, save and report a run; continues an earlier attempt found in `run_dir`.

    `should_stop` is polled once a step: None, "stop" (save, end, can be resumed) or "best" (end with the best
    weights and a report). "stop" also ends what lasts between steps. `report` judges the saved model; a worker gives
    one that does so in a process of its own. Raises UserError for what a person can mend.
    """
    with joined(inputs.hardware.device) as ranks:
        machine = settle_threads(run_dir, inputs.hardware)
        machine = dataclasses.replace(machine, device=ranks.device(machine.device))
        inputs = dataclasses.replace(inputs, hardware=machine, ranks=ranks)
        tell = emit if ranks.first else _silent
        saved = ranks.by_first(lambda: _waiting(run_dir, tell)) or _trained(run_dir, spec, inputs, tell, should_stop)
    if saved and ranks.first:
        _report(run_dir, spec, inputs, emit, should_stop, report)


def _silent(event: Event) -> None:
    """What processes but the first have to tell."""


def _trained(run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, stop: Stop) -> bool:
    """Everything up to the report; False when the run ended before that."""
    task, ranks = tasks.get(spec.task), inputs.ranks
    first = wanted(spec) and not learnt(run_dir)
    emit(Phase(PHASE if first else "tokenising"))
    table, left_out = ranks.in_turn(lambda: read_table(run_dir, spec, task, inputs.data))
    if left_out:
        emit(Note("timeline.rows_left_out", {"rows": left_out}))
    simple = Simple(run_dir, task, table, task.facts(table.part("train"), task.Options()), spec.seed)
    if spec.method == SIMPLE_METHOD:
        return ranks.by_first(lambda: _simple_run(task, simple, emit))
    if task.kind.simple and ranks.first:
        simple.start()
    try:
        again: bool | None = None
        if wanted(spec):
            again = (run_dir / PLAN).is_file() and not first
            base = learn_language(run_dir, spec, inputs, table, emit, stop)
            if base is None:
                return False
            inputs = dataclasses.replace(inputs, model=base)
            emit(Phase("tokenising"))
        told = telling("tokenising", emit, ranks.heard(stop))
        found = ranks.in_turn(lambda: assemble(run_dir, spec, inputs, table, told, again))
        for note in found.notes:
            emit(note)
        ended = _train(run_dir, spec, inputs, found, simple, emit, stop)
    except Asked:
        # The loop ends by itself, so this attempt has made no step: what is on the disk is still the newest.
        emit(Stopped(last_step(run_dir / CHECKPOINTS)))
        return False
    if ended is not None and ranks.first:
        _save(run_dir, spec, inputs, found, simple, ended, emit)
    return ended is not None


def _waiting(run_dir: Path, emit: Emit) -> bool:
    """Whether an earlier attempt has left nothing to do but the report; a saved model that is damaged is named."""
    trained = read_trained(run_dir)
    if trained is None:
        return False
    if name := damaged_file(run_dir, trained):
        forget_trained(run_dir)
        emit(Caution("timeline.model_damaged", {"file": name}, step=trained.step))
        return False
    emit(Resumed(trained.step))
    return True


def _simple_run(task: Task, simple: Simple, emit: Emit) -> bool:
    """A run without a neural model: the simple models alone."""
    if not task.kind.simple:
        raise UserError("baseline_needs_labels", task=task.key)
    emit(Phase("baselines"))
    simple.start()
    simple.wait(emit, None)
    if not simple.models:
        raise UserError("baselines_failed", reason=simple.fault)
    return True


def _train(
    run_dir: Path, spec: Spec, inputs: Inputs, found: Assembled, simple: Simple, emit: Emit, stop: Stop
) -> Outcome | None:
    """The loop with everything around it. None when the run ended there (stopped or not finite). May raise Asked."""
    ranks = inputs.ranks
    heard = ranks.heard(stop)
    job = ranks.in_turn(lambda: prepare_job(run_dir, spec, inputs, found, simple, emit, heard))
    ranks.own_chance(spec.seed)
    loop = Loop(job, emit)
    step = loop.resume()
    epochs = job.steps / job.sampler().steps_per_epoch
    emit(Plan(job.steps, round(epochs, 3), [decision.to_json() for decision in found.decisions]))
    if found.again:
        _tell_resumed(step, loop, emit)
    ranks.by_first(lambda: _before(job, spec, found, simple, step, emit, heard))
    emit(Phase("training", step, job.steps))
    outcome = loop.run(stop)
    if not ranks.first:
        return outcome if outcome.reason not in ("non-finite", "stop") else None
    if outcome.reason == "non-finite":
        values = {"step": outcome.step + 1, "rate": job.options.learning_rate}
        emit(Failed("non_finite", values, kind="non-finite", step=outcome.step))
        return None
    if outcome.reason == "stop":
        if outcome.step:
            emit(Phase("saving"))
            _settle(job, found)
            save_model(run_dir, spec, found, _base(inputs))
        emit(Stopped(outcome.step))
        return None
    if outcome.reason == "early":
        emit(Note("timeline.early_stop", {"step": outcome.step, "best": outcome.best_step}, step=outcome.step))
    if loop.restore_best():
        emit(Note("timeline.best_restored", {"step": outcome.best_step, "score": outcome.best}, step=outcome.step))
    _settle(job, found)
    return outcome


def _counted(found: Assembled, emit: Emit) -> None:
    """Simple models that need the encoded rows, where the kind has such."""
    judge = judges.get(found.task.result)
    if judge.counts:
        size = int(core_of(found.model).config.vocab_size)
        train = found.train.take(range(min(len(found.train.lengths), COUNTED_ROWS)))
        judged = found.validation.take(range(len(found.validation.lengths)))
        for key, value in judge.rivals(found.task, train, judged, size).items():
            emit(Baseline(key, found.task.main_metric, value))


def _settle(job: Job, found: Assembled) -> None:
    """Facts that are tuned on the validation rows, by the weights that are kept."""
    if found.task.kind.settles:
        found.model.eval()
        with number_format(found.autocast, found.device):
            found.facts.update(job.validate.settled(found.model))


def _tell_resumed(step: int, loop: Loop, emit: Emit) -> None:
    """Where the run goes on, and what keeps it from ending with the same bits as an unbroken one."""
    parts = [f"{name} {then or '?'} → {now}" for name, (then, now) in sorted(loop.changed.items())]
    if loop.job.device != "cpu" and not parts:
        parts = [loop.job.device]
    emit(Resumed(step, exact=not parts))
    if step and parts:
        emit(Caution("timeline.resumed_inexact", {"parts": ", ".join(parts)}, step=step))


def _before(job: Job, spec: Spec, found: Assembled, simple: Simple, step: int, emit: Emit, stop: Stop) -> None:
    """What comes before the first step: the head's place, and the line to beat, which is the simple models' or the
    base model's own loss; its answers are shown first."""
    if step == 0:
        read = place_head(found, spec.seed, telling("tokenising", emit, stop))
        if read:
            emit(Note("timeline.head_placed", {"rows": read}))
        elif (kind := found.facts.get("head")) and found.task.kind.places_head:
            emit(Note("timeline.head_unplaced", {"head_code": f"option.task.head_{kind}"}))
    emit(Phase("baselines"))
    if found.task.kind.simple:
        simple.wait(emit)
    if step:
        return
    _counted(found, emit)
    # What weights drawn at random say is no score to beat.
    if found.task.kind.before and found.task.knows(found.model):
        score: Score = validated(job, emit)
        emit(Baseline("base", found.task.main_metric, score.main))
        emit(Eval(0, score.loss, score.metrics))
        emit(Sample(0, score.samples))


def _save(
    run_dir: Path, spec: Spec, inputs: Inputs, found: Assembled, simple: Simple, outcome: Outcome, emit: Emit
) -> None:
    """Save the model, with what it answers to some rows, and let go of it."""
    emit(Phase("saving"))
    save_model(run_dir, spec, found, _base(inputs))
    probe = found.validation.take(range(min(CHECKED_ROWS, len(found.validation.lengths))))
    with number_format(found.autocast, found.device):
        said = answers(found.task, found.model, probe, found.tokenizer.pad_token_id or 0, found.facts)
    del found.model
    gc.collect()
    if found.task.kind.simple:
        simple.wait(emit, None)
    keep_trained(run_dir, outcome.step, outcome.reason, found.autocast, probe, said)


def _report(run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, stop: Stop, report: Report) -> None:
    """The report on what a person will use, not on what was trained; and the end of the run."""
    trained = read_trained(run_dir)  # None where only simple models were fitted
    step = trained.step if trained else 0
    try:
        metric, value = report(run_dir, spec, inputs, emit, stop)
    except Asked:
        emit(Stopped(step))
        return
    shutil.rmtree(run_dir / "cache", ignore_errors=True)
    if trained and trained.reason == "best":
        forget_trained(run_dir)
        emit(Stopped(step))
        return
    # The finished model holds the best weights, and there is nothing left to continue.
    shutil.rmtree(run_dir / CHECKPOINTS, ignore_errors=True)
    emit(Done(step, metric, value))
    forget_trained(run_dir)


def _base(inputs: Inputs) -> Path:
    if inputs.model is None:
        raise UserError("model_needed", method="-")
    return inputs.model
