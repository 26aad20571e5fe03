"""From what was assembled to the loop's job: validation, checkpoints, steps, and a frozen encoder computed once."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from importlib import metadata
from pathlib import Path
from typing import Any

from studio.events import Emit, Note, Phase
from studio.spec import Spec
from studio.training import packing
from studio.training.assemble import Assembled
from studio.training.batching import Items, Sampler
from studio.training.bottom import Bottom, computed_once
from studio.training.checkpoints import Checkpoints
from studio.training.encoding import frozen_features, labels_of
from studio.training.job import Job, Progress, Stop, interruptible
from studio.training.memory import evaluated, tokens
from studio.training.optimizer import LIBRARY
from studio.training.rows import Inputs
from studio.training.schedule import evaluation_steps
from studio.training.simple import Simple
from studio.training.validation import Validation

CHECKPOINTS = "checkpoints"
_FEATURE_BYTES = 2_000_000_000
"""The most that vectors of a frozen encoder may take."""


def telling(phase: str, emit: Emit, should_stop: Stop) -> Progress:
    """Tells how far a phase is, and ends it on a wish to stop."""
    return interruptible(lambda done, total: emit(Phase(phase, done, total)), should_stop)


def prepare_job(
    run_dir: Path, spec: Spec, inputs: Inputs, found: Assembled, simple: Simple, emit: Emit, stop: Stop
) -> Job:
    """Validation, checkpoints and steps around what was assembled; a frozen encoder is computed once for all."""
    train, validation = found.train, found.validation
    if _computed_once(found):
        everything = len(train.lengths) + len(validation.lengths)
        told = telling("tokenising", emit, stop)
        train = frozen_features(found, train, lambda done, _: told(done, everything))
        start = len(train.lengths)
        validation = frozen_features(found, validation, lambda done, _: told(start + done, everything))
    each = Sampler(train, found.options.batch_size, spec.seed, found.task.one_window)
    bottom = Bottom.of(found.model)
    alone = inputs.ranks.size == 1  # several processes would each compute and keep all of it
    kept = _kept(found, bottom, run_dir / "cache", each, emit, stop) if alone else None
    judge = Validation(
        found.task,
        found.facts,
        found.tokenizer,
        validation,
        found.validation_rows,
        found.validation_numbers,
        found.device,
        spec.seed,
        telling("evaluating", emit, stop),
        evaluated(found.fit, found.options),
    )
    options = found.options
    steps = max(1, math.ceil(options.epochs * each.steps_per_epoch))
    spared = _packing(found, each, emit)
    return Job(
        task=found.task,
        task_options=found.task_options,
        model=found.model,
        train=train if kept is None else kept,
        options=options,
        steps=steps,
        micro_batch=found.fit.micro_batch,
        micro_tokens=tokens(found.fit, options),
        checkpoints=Checkpoints(run_dir / CHECKPOINTS, fingerprint(spec, options)),
        validate=judge,
        seed=spec.seed,
        pad_id=found.tokenizer.pad_token_id or 0,
        device=found.device,
        autocast=found.autocast,
        head=found.task.head,
        pace=lambda name: found.method.pace(name, found.method_options),
        eval_steps=evaluation_steps(steps, options.evaluations),
        beside=lambda: simple.tell(emit),
        pulls=_pulls(found),
        setting=_setting(found, inputs.ranks.size) | _ways(found, bottom, kept, spared),
        ranks=inputs.ranks,
        packs=spared > 0,
        bottom=bottom,
    )


def _pulls(found: Assembled) -> list[float] | None:
    """How strongly each training item is drawn; None where all are drawn once."""
    share = float(getattr(found.task_options, "oversample", 0.0))
    return found.task.pulls(labels_of(found.train), share) if share else None


def _setting(found: Assembled, processes: int) -> dict[str, Any]:
    """What other bits may come from where it differs, for the same job."""
    import torch

    return {
        **{name: metadata.version(name) for name in ("torch", "transformers", "peft", *_further(found))},
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "precision": found.autocast,
        "device": found.device,
        **({"processes": processes} if processes > 1 else {}),
        **dataclasses.asdict(found.fit),
    }


def _ways(found: Assembled, bottom: Bottom | None, kept: Items | None, spared: float) -> dict[str, Any]:
    """Which of several ways to the same numbers, up to rounding, this attempt takes."""
    ways = {} if bottom is None else {"computed_once": kept is not None}
    return ways | ({"packed": spared > 0} if found.task.packs else {})


def _kept(
    found: Assembled, bottom: Bottom | None, folder: Path, sampler: Sampler, emit: Emit, stop: Stop
) -> Items | None:
    """The training items with what comes out of the layers that do not learn, where that is computed once."""
    if bottom is None:
        return None
    passes = found.options.epochs * sampler.rows_per_epoch / len(found.train.lengths)
    kept = computed_once(found, bottom, folder, passes, telling("tokenising", emit, stop))
    if kept is not None:
        emit(Note("timeline.bottom_kept", {"layers": bottom.layers, "total": bottom.total}))
    return kept


def _packing(found: Assembled, sampler: Sampler, emit: Emit) -> float:
    """The share of the computed tokens that is spared where rows share one; 0.0 where they do not."""
    if not found.task.packs or found.options.adversarial != "off":
        return 0.0
    most = tokens(found.fit, found.options)
    spared = packing.saved(sampler, found.train.lengths, found.fit.micro_batch, most)
    if spared < packing.LEAST or not packing.holds(found, found.train):
        return 0.0
    emit(Note("timeline.packed", {"percent": round(100 * spared)}))
    return spared


def _further(found: Assembled) -> tuple[str, ...]:
    """The library that only few runs compute with."""
    quantised = found.method.linear_bytes or found.options.optimizer == "adamw-8bit"
    return (LIBRARY,) if quantised else ()


def _computed_once(found: Assembled) -> bool:
    """Whether the encoder's vectors stay the same all through the training, and there is room to keep them."""
    if not found.method.encoder_fixed or found.options.adversarial != "off" or not hasattr(found.model, "features_of"):
        return False
    if getattr(found.model, "over_tokens", False):
        vectors = int(found.train.lengths.sum() + found.validation.lengths.sum())
    else:
        vectors = len(found.train.lengths) + len(found.validation.lengths)
    return vectors * found.card.hidden * 4 < _FEATURE_BYTES


def fingerprint(spec: Spec, options: Any) -> str:
    """What a checkpoint must share with the run that continues from it: names may change, the rest may not."""
    # Options at their defaults are left out, so that an option that is new leaves older runs as they were.
    plain = dataclasses.asdict(type(options)())
    chosen = sorted((name, value) for name, value in dataclasses.asdict(options).items() if value != plain[name])
    parts = (spec.data, spec.columns, spec.task, spec.model, spec.method, spec.seed, spec.split, chosen)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
