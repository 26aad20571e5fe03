"""What becomes of an attempt that ran out of memory: another one with less at once, or an end that says what would fit.

Only what is computed at once gets smaller; the batch of a step stays what was asked for, so the result does too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.events import Watched
from studio.runs import journal, states
from studio.runs.ending import Ending
from studio.spec import Spec
from studio.training.memory import Rung, current, read_options, step_down


def next_rung(folder: Path, attempt: int) -> Rung | None:
    """The smaller way in which to try again, written into the run's folder; None when that would not help."""
    method = _method(folder)
    if method is None or not _may(folder, attempt):
        return None
    try:
        return step_down(folder, attempt, method)
    except OSError:
        return None  # a disk that takes no small file takes no run either


def exhausted(folder: Path, attempt: int, ending: Ending) -> Ending:
    """The ending of a run that ran out of memory for good, which names what is smaller where that is known."""
    method, options = _method(folder), read_options(folder)
    if method is None or options is None or not _may(folder, attempt):
        return ending
    values = {"rows": current(folder, options).micro_batch, "instead_code": f"memory.instead_{method}"}
    return Ending(states.OUT_OF_MEMORY, "out_of_memory_smallest", values)


def told(rung: Rung, step: int) -> Watched:
    """The rung as an event of the timeline."""
    if rung.after.gradient_checkpointing and not rung.before.gradient_checkpointing:
        return Watched("timeline.memory_recompute", {"rows": rung.after.micro_batch}, step)
    values: dict[str, Any] = {"before": rung.before.micro_batch, "rows": rung.after.micro_batch}
    return Watched("timeline.memory_half", values, step)


def _may(folder: Path, attempt: int) -> bool:
    """Whether the run allows it and memory ran out where the rows computed at once decide how much is needed."""
    options = read_options(folder)
    if options is None or not options.retry_smaller:
        return False
    phase = journal.last_event(folder, attempt, ("phase",))
    return phase is not None and phase["name"] in ("training", "evaluating", "language")


def _method(folder: Path) -> str | None:
    try:
        return Spec.loads((folder / "spec.json").read_text("utf-8")).method
    except (OSError, UserError):
        return None
