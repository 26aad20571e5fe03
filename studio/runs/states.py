"""The states of a job, which change may follow which, and how long each may last. Pure; no database, no clock."""

from __future__ import annotations

QUEUED, ADMITTED, STARTING, RUNNING = "queued", "admitted", "starting", "running"
STALLED, STOPPING = "stalled", "stopping"
DONE, STOPPED, FAILED = "done", "stopped", "failed"
OUT_OF_MEMORY, NON_FINITE, INTERRUPTED = "out-of-memory", "non-finite", "interrupted"

TERMINAL = frozenset({DONE, STOPPED, FAILED, OUT_OF_MEMORY, NON_FINITE, INTERRUPTED})
ACTIVE = frozenset({QUEUED, ADMITTED, STARTING, RUNNING, STALLED, STOPPING})
AT_WORK = frozenset({STARTING, RUNNING, STALLED})
ON_DEVICE = ACTIVE - {QUEUED}
"""States that hold a place in their lane."""

NEXT: dict[str, frozenset[str]] = {
    QUEUED: frozenset({ADMITTED, STOPPED, INTERRUPTED}),
    ADMITTED: frozenset({STARTING, STOPPING}) | TERMINAL,
    STARTING: frozenset({RUNNING, STOPPING}) | TERMINAL,
    RUNNING: frozenset({STALLED, STOPPING}) | TERMINAL,
    STALLED: frozenset({RUNNING, STOPPING}) | TERMINAL,
    STOPPING: TERMINAL,
    **{state: frozenset() for state in TERMINAL},
}

DAY = 86400.0
DEADLINES: dict[str, float] = {
    QUEUED: 30 * DAY,
    ADMITTED: 180.0,
    STARTING: 180.0,
    RUNNING: 300.0,
    STALLED: 7200.0,
    STOPPING: 30.0,
}
"""Seconds a job may stay in a state without news. What follows: queued and stalled end, admitted and starting fail,
running becomes stalled, stopping is killed."""

BEST = 900.0
"""Seconds for a stop that keeps the best: its model is still saved, tried and reported."""

LANES: dict[str, int] = {"device": 1}
"""How many jobs of a lane work at once."""

KINDS: dict[str, str] = {"train": "device"}
"""Kinds of jobs and their lanes."""


def allowed(before: str, after: str) -> bool:
    """Whether a job may go from `before` to `after`. A terminal state is never left."""
    return after in NEXT[before]
