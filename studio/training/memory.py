"""How much of a batch is computed at once, and what is tried next when that was too much for the memory. No torch.

plan.json stays as it was made: the batch, the seed and the order are the run's. What it came down to is kept beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.files import write_whole
from studio.methods.base import methods
from studio.training.options import TrainingOptions

PLAN = "plan.json"
RUNGS = "memory.json"


@dataclass(frozen=True)
class Fit:
    """Rows computed at once, and whether activations are computed a second time instead of being kept."""

    micro_batch: int
    gradient_checkpointing: bool


@dataclass(frozen=True)
class Rung:
    """One step down the ladder: from what to what."""

    before: Fit
    after: Fit


def planned(options: TrainingOptions) -> Fit:
    """What a run begins with."""
    rows = min(options.micro_batch or options.batch_size, options.batch_size)
    return Fit(rows, options.gradient_checkpointing == "yes")


def current(run_dir: Path, options: TrainingOptions) -> Fit:
    """What the next attempt of a run computes with."""
    rungs = _kept(run_dir)
    return _fit(rungs[-1]) if rungs else planned(options)


def evaluated(fit: Fit, options: TrainingOptions) -> float:
    """What share of its usual rows a validation computes at once: it comes down the ladder with the training."""
    first = planned(options)
    if fit.gradient_checkpointing and not first.gradient_checkpointing:
        return 0.0
    return fit.micro_batch / first.micro_batch


def tokens(fit: Fit, options: TrainingOptions) -> int:
    """How many tokens are computed at once: the bound that was asked for comes down the ladder with the rows."""
    return options.micro_tokens * fit.micro_batch // planned(options).micro_batch


def smaller(fit: Fit, options: TrainingOptions, method: str) -> Fit | None:
    """The next rung: half the rows, and at one row no activations kept. None when nothing is left to give up."""
    if fit.micro_batch > 1:
        return Fit((fit.micro_batch + 1) // 2, fit.gradient_checkpointing)
    # Below a head alone nothing is kept for a backward pass, unless an attack asks for gradients down there.
    fixed = method in methods.keys() and methods.get(method).encoder_fixed
    helps = not fixed or options.adversarial != "off"
    if options.gradient_checkpointing == "auto" and helps and not fit.gradient_checkpointing:
        return Fit(1, True)
    return None


def step_down(run_dir: Path, attempt: int, method: str) -> Rung | None:
    """Write down what the attempt after `attempt`, which ran out of memory, computes with.

    Asked again for the same attempt it goes no further down. None when there is nothing smaller. Raises OSError.
    """
    options = read_options(run_dir)
    if options is None:
        return None
    rungs = _kept(run_dir)
    if rungs and rungs[-1]["attempt"] == attempt:
        before = _fit(rungs[-2]) if len(rungs) > 1 else planned(options)
        return Rung(before, _fit(rungs[-1]))
    before = current(run_dir, options)
    after = smaller(before, options, method)
    if after is None:
        return None
    write_whole(run_dir / RUNGS, json.dumps([*rungs, {"attempt": attempt, **asdict(after)}], indent=1))
    return Rung(before, after)


def read_options(run_dir: Path) -> TrainingOptions | None:
    """The options of a run that has been planned; None before."""
    try:
        raw = json.loads((run_dir / PLAN).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return TrainingOptions(**raw["options"])


def _kept(run_dir: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads((run_dir / RUNGS).read_text("utf-8")))
    except FileNotFoundError:
        return []


def _fit(rung: dict[str, Any]) -> Fit:
    return Fit(int(rung["micro_batch"]), bool(rung["gradient_checkpointing"]))
