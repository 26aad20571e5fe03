"""What a run tells while it works: small typed facts, appended to the attempt's event file as JSON lines.

Events carry codes and numbers, never sentences; `code` fields name entries of the catalogue. The writer adds
`time` (seconds since the epoch). Losses that are not finite are written as null and drawn as a gap.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Phase:
    """The run entered, or moved on in, a phase: queued fetching tokenising baselines language training
    evaluating saving reporting. `done`/`total` are steps, rows or bytes of that phase; total 0 means unknown."""

    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Plan:
    """Said once before the first step: how many optimizer steps and epochs, and the decisions with reasons.

    `decisions` is a list of {"name", "value", "reason": <code>, "values": {...}} (precision, batch, threads, ...).
    """

    steps: int
    epochs: float
    decisions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One optimizer step. `rate` is rows a second, `memory` resident bytes (device bytes on a GPU)."""

    step: int
    epoch: float
    loss: float | None
    learning_rate: float
    gradient_norm: float | None
    rate: float
    memory: int


@dataclass(frozen=True)
class Eval:
    """Scores on the validation split after `step`. `metrics` by name; `best` marks the best so far."""

    step: int
    loss: float | None
    metrics: dict[str, float]
    best: bool = False


@dataclass(frozen=True)
class Baseline:
    """A simple model's validation score, the dashed line to beat. `key`: majority, rules, tfidf, base."""

    key: str
    metric: str
    score: float


@dataclass(frozen=True)
class Sample:
    """Five fixed validation rows as the model answers them after `step`.

    rows: [{"row", "text", "truth", "answer", "right": bool|None, "score": float|None}].
    """

    step: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Note:
    """A fact for the timeline."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    step: int = 0


@dataclass(frozen=True)
class Caution:
    """A warning for the timeline."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    step: int = 0


@dataclass(frozen=True)
class Watched:
    """What the leader saw of the worker from outside, of which the worker itself could say nothing: no sign of life,
    killed, short of memory. `code` names the whole catalogue entry; of an error its first sentence is shown."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    step: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint of `step` is on disk."""

    step: int
    best: bool = False


@dataclass(frozen=True)
class Resumed:
    """The attempt continues after `step` (0: from the start); `exact` says whether bit for bit."""

    step: int
    exact: bool = True


@dataclass(frozen=True)
class Stopped:
    """The run ended because it was asked to; a checkpoint of `step` is saved."""

    step: int


@dataclass(frozen=True)
class Failed:
    """The run ended by an error. `kind` is the final state (failed, out-of-memory, non-finite)."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    kind: str = "failed"
    step: int = 0


@dataclass(frozen=True)
class Done:
    """The run ended as planned; the model and the report are written."""

    step: int
    metric: str = ""
    score: float | None = None


Event = (
    Phase
    | Plan
    | Step
    | Eval
    | Baseline
    | Sample
    | Note
    | Caution
    | Watched
    | Checkpoint
    | Resumed
    | Stopped
    | Failed
    | Done
)
Emit = Callable[[Event], None]
KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind
    for kind in (
        Phase,
        Plan,
        Step,
        Eval,
        Baseline,
        Sample,
        Note,
        Caution,
        Watched,
        Checkpoint,
        Resumed,
        Stopped,
        Failed,
        Done,
    )
}


def to_json(event: Event, time: float) -> dict[str, Any]:
    """The event as one JSON object with its kind under `event`; non-finite floats become null."""
    return {"event": type(event).__name__.lower(), "time": time, **_finite(dataclasses.asdict(event))}


def from_json(raw: dict[str, Any]) -> Event:
    """Back again; unknown kinds raise KeyError, so that a newer file is noticed."""
    event: Event = KINDS[raw["event"]](**{key: value for key, value in raw.items() if key not in ("event", "time")})
    return event


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
