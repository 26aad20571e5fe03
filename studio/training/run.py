"""One training run from its spec to its report, in the worker's process; what happens is told as events.

The worker fetches the model and hands its folder over; it turns an error that is raised here into the final event.
This module emits the final event itself only for ends that are no errors (Done, Stopped) and for non-finite numbers.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import math
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.evaluation.kinds.base import judges
from studio.events import Baseline, Caution, Done, Emit, Eval, Failed, Note, Phase, Plan, Resumed, Sample, Stopped
from studio.spec import Spec
from studio.tasks.base import Task, tasks
from studio.tasks.heads import core_of
from studio.training.assemble import Assembled, assemble, with_kept_threads
from studio.training.checkpoints import Checkpoints, last_step
from studio.training.encoding import frozen_features
from studio.training.firsthead import place_head
from studio.training.job import Asked, Job, Outcome, Progress, Score, Stop, interruptible
from studio.training.loop import Loop, validated
from studio.training.precision import number_format
from studio.training.reporting import report_run
from studio.training.rows import Inputs, Table, read_table
from studio.training.saving import CHECKED_ROWS, answers, check_reloaded, save_model
from studio.training.schedule import evaluation_steps
from studio.training.simple import Simple
from studio.training.validation import Validation

__all__ = ["Inputs", "train_run"]

SIMPLE_METHOD = "baseline"
CHECKPOINTS = "checkpoints"
COUNTED_ROWS = 20_000
"""Encoded rows from which the models that only count are made, at most."""


def train_run(run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, should_stop: Stop) -> None:
    """Train, save and report a run; continues an earlier attempt found in `run_dir`.

    `should_stop` is polled once a step: None, "stop" (save, end, can be resumed) or "best" (end with the best
    weights and a report). "stop" also ends what lasts between steps. Raises UserError for what a person can mend.
    """
    import torch

    inputs = dataclasses.replace(inputs, hardware=with_kept_threads(run_dir, inputs.hardware))
    torch.set_num_threads(max(1, inputs.hardware.threads))
    torch.set_flush_denormal(True)  # Adam's smallest moments would otherwise cost many times a normal number's time
    task = tasks.get(spec.task)
    emit(Phase("tokenising"))
    table, left_out = read_table(run_dir, spec, task, inputs.data)
    if left_out:
        emit(Note("timeline.rows_left_out", {"rows": left_out}))
    simple = Simple(run_dir, task, table, task.facts(table.part("train"), task.Options()), spec.seed)
    if spec.method == SIMPLE_METHOD:
        return _simple_run(run_dir, spec, task, table, simple, emit)
    if task.kind.simple:
        simple.start()
    try:
        found = assemble(run_dir, spec, inputs, table, _telling("tokenising", emit, should_stop))
        for note in found.notes:
            emit(note)
        ended = _train(run_dir, spec, inputs, found, simple, emit, should_stop)
    except Asked:
        # The loop ends by itself, so this attempt has made no step: what is on the disk is still the newest.
        emit(Stopped(last_step(run_dir / CHECKPOINTS)))
        return
    if ended is not None:
        _finish(run_dir, spec, inputs, table, found, simple, ended, emit)


def _telling(phase: str, emit: Emit, should_stop: Stop) -> Progress:
    return interruptible(lambda done, total: emit(Phase(phase, done, total)), should_stop)


def _simple_run(run_dir: Path, spec: Spec, task: Task, table: Table, simple: Simple, emit: Emit) -> None:
    """A run without a neural model: the simple models and their report."""
    if not task.kind.simple:
        raise UserError("baseline_needs_labels", task=task.key)
    emit(Phase("baselines"))
    simple.start()
    simple.wait(emit, None)
    if not simple.models:
        raise UserError("baselines_failed", reason=simple.fault)
    metric, value = report_run(run_dir, spec, task, table, simple.facts, simple, None, None, emit)
    emit(Done(0, metric, value))


def _train(
    run_dir: Path, spec: Spec, inputs: Inputs, found: Assembled, simple: Simple, emit: Emit, stop: Stop
) -> Outcome | None:
    """The loop with everything around it. None when the run ended there (stopped or not finite). May raise Asked."""
    job = _job(run_dir, spec, found, simple, emit, stop)
    loop = Loop(job, emit)
    step = loop.resume()
    epochs = job.steps / max(1, math.ceil(len(job.train.lengths) / job.options.batch_size))
    emit(Plan(job.steps, round(epochs, 3), [decision.to_json() for decision in found.decisions]))
    if found.again:
        _tell_resumed(step, loop, emit)
    if step == 0:
        read = place_head(found, spec.seed, _telling("tokenising", emit, stop))
        if read:
            emit(Note("timeline.head_placed", {"rows": read}))
    emit(Phase("baselines"))
    if found.task.kind.simple:
        simple.wait(emit)
    if step == 0:
        _counted(found, emit)
        # What weights drawn at random say is no score to beat.
        if found.task.kind.before and found.task.knows(found.model):
            _before(job, found, emit)
    emit(Phase("training", step, job.steps))
    outcome = loop.run(stop)
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


def _job(run_dir: Path, spec: Spec, found: Assembled, simple: Simple, emit: Emit, stop: Stop) -> Job:
    """Validation, checkpoints and steps around what was assembled; a frozen encoder is computed once for all."""
    train, validation = found.train, found.validation
    if _computed_once(found):
        everything = len(train.lengths) + len(validation.lengths)
        told = _telling("tokenising", emit, stop)
        train = frozen_features(found, train, lambda done, _: told(done, everything))
        start = len(train.lengths)
        validation = frozen_features(found, validation, lambda done, _: told(start + done, everything))
    judge = Validation(
        found.task,
        found.facts,
        found.tokenizer,
        validation,
        found.validation_rows,
        found.validation_numbers,
        found.device,
        spec.seed,
        _telling("evaluating", emit, stop),
    )
    options = found.options
    each = math.ceil(len(train.lengths) / options.batch_size)
    steps = max(1, math.ceil(options.epochs * each))
    return Job(
        task=found.task,
        task_options=found.task_options,
        model=found.model,
        train=train,
        options=options,
        steps=steps,
        micro_batch=found.fit.micro_batch,
        checkpoints=Checkpoints(run_dir / CHECKPOINTS, _fingerprint(spec, options)),
        validate=judge,
        seed=spec.seed,
        pad_id=found.tokenizer.pad_token_id or 0,
        device=found.device,
        autocast=found.autocast,
        head=found.task.head,
        eval_steps=evaluation_steps(steps, options.evaluations),
        beside=lambda: simple.tell(emit),
        setting=_setting(found),
    )


def _setting(found: Assembled) -> dict[str, Any]:
    """What other bits may come from where it differs, for the same job."""
    import torch

    return {
        **{name: metadata.version(name) for name in ("torch", "transformers", "peft")},
        "threads": torch.get_num_threads(),
        "precision": found.autocast,
        "device": found.device,
        **dataclasses.asdict(found.fit),
    }


def _computed_once(found: Assembled) -> bool:
    """Whether the encoder's vectors stay the same all through the training, and there is room to keep them."""
    if found.method.key != "head" or found.options.adversarial != "off" or not hasattr(found.model, "pooled"):
        return False
    rows = len(found.train.lengths) + len(found.validation.lengths)
    return rows * found.card.hidden * 4 < 2_000_000_000


def _fingerprint(spec: Spec, options: Any) -> str:
    """What a checkpoint must share with the run that continues from it: names may change, the rest may not."""
    # Options at their defaults are left out, so that an option that is new leaves older runs as they were.
    plain = dataclasses.asdict(type(options)())
    chosen = sorted((name, value) for name, value in dataclasses.asdict(options).items() if value != plain[name])
    parts = (spec.data, spec.columns, spec.task, spec.model, spec.method, spec.seed, spec.split, chosen)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _before(job: Job, found: Assembled, emit: Emit) -> None:
    """How the base model does before the first step: its loss is the line to beat, its answers are shown first."""
    score: Score = validated(job, emit)
    emit(Baseline("base", found.task.main_metric, score.main))
    emit(Eval(0, score.loss, score.metrics))
    emit(Sample(0, score.samples))


def _finish(
    run_dir: Path,
    spec: Spec,
    inputs: Inputs,
    table: Table,
    found: Assembled,
    simple: Simple,
    outcome: Outcome,
    emit: Emit,
) -> None:
    """Save, reload, compare, report. The report is computed on what a person will use, not on what was trained."""
    from studio.inference.predictor import Predictor

    emit(Phase("saving"))
    save_model(run_dir, spec, found, _base(inputs))
    probe = found.validation.take(range(min(CHECKED_ROWS, len(found.validation.lengths))))
    pad = found.tokenizer.pad_token_id or 0
    with number_format(found.autocast, found.device):
        before = answers(found.task, found.model, probe, pad, found.facts)
    del found.model
    gc.collect()
    predictor = Predictor.load(run_dir, found.device)
    after = answers(predictor.task, predictor.model, probe, pad, predictor.facts)
    gap = check_reloaded(before, after, found.autocast)
    emit(Note("timeline.reloaded", {"rows": len(probe), "gap": f"{gap:.1e}"}, step=outcome.step))
    if found.task.kind.simple:
        simple.wait(emit, None)
    metric, value = report_run(run_dir, spec, found.task, table, found.facts, simple, predictor, _base(inputs), emit)
    shutil.rmtree(run_dir / "cache", ignore_errors=True)
    if outcome.reason == "best":
        emit(Stopped(outcome.step))
        return
    # The finished model holds the best weights, and there is nothing left to continue.
    shutil.rmtree(run_dir / CHECKPOINTS, ignore_errors=True)
    emit(Done(outcome.step, metric, value))


def _base(inputs: Inputs) -> Path:
    if inputs.model is None:
        raise UserError("model_needed", method="-")
    return inputs.model
