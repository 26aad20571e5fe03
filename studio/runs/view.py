"""What the screen, the command line and Python see of a run: plain values, no database and no process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from studio.runs import states


@dataclass(frozen=True)
class RunView:
    """A run as it stands. Times are seconds since the epoch, `seconds` is work done in all its attempts so far.

    `position` is 1 for the next in the queue and 0 when not queued; `expected_start` and `estimate` are None when
    unknown. `error` names a catalogue entry `error.<code>`; it is empty for a run without trouble.
    """

    id: str
    name: str
    state: str
    owner: str
    owner_name: str
    task: str
    model: str
    method: str
    data: str
    data_name: str
    preset: str
    created: float
    started: float | None
    ended: float | None
    seconds: float
    attempt: int
    metric: str
    score: float | None
    error: str
    error_values: dict[str, Any]
    position: int = 0
    expected_start: float | None = None
    estimate: float | None = None
    keep: str = ""
    trashed: float | None = None

    @property
    def active(self) -> bool:
        """Whether something may still change by itself."""
        return self.state in states.ACTIVE

    @property
    def resumable(self) -> bool:
        """Whether a new attempt makes sense."""
        return self.state in states.TERMINAL and self.state != states.DONE

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Place:
    """Where a queued job stands: 1 is next; `start` when it is expected to begin, None when that is unknown."""

    position: int
    start: float | None


def order(queued: Sequence[Row[Any]], working: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Queued jobs in the order they will be taken: one of each person in turn, each person's oldest first."""
    turns: dict[str, int] = {}
    for job in working:
        turns[job.owner] = turns.get(job.owner, 0) + 1
    keyed = []
    for job in queued:
        turn = turns[job.owner] = turns.get(job.owner, 0) + 1
        keyed.append(((turn, job.created, job.id), job))
    return [job for _, job in sorted(keyed, key=lambda pair: pair[0])]


def places(queued: Sequence[Row[Any]], working: Sequence[Row[Any]], now: float) -> dict[str, Place]:
    """The place of each queued run by run id; the expected start adds up the estimates of all ahead."""
    found = {}
    start: float | None = now
    for job in working:
        if job.lane == "device" and start is not None:
            begun = job.started or now
            left = None if job.estimate is None else begun + job.estimate - now
            # A run that is over its estimate has shown that the estimate says nothing of its end.
            start = None if left is None or left <= 0 else start + left
    for position, job in enumerate(order(queued, working), 1):
        found[job.run] = Place(position, start)
        start = None if start is None or job.estimate is None else start + job.estimate
    return found


def view(row: Row[Any], seconds: float, place: Place | None, now: float) -> RunView:
    """A run's row as a RunView."""
    if row.state in states.ACTIVE and row.started is not None:
        seconds += max(0.0, now - row.started)
    return RunView(
        id=row.id,
        name=row.name,
        state=row.state,
        owner=row.owner,
        owner_name=row.owner_name or row.owner,
        task=row.task,
        model=row.model,
        method=row.method,
        data=row.data,
        data_name=row.data_name,
        preset=row.preset,
        created=row.created,
        started=row.started,
        ended=row.ended,
        seconds=seconds,
        attempt=row.attempt,
        metric=row.metric,
        score=row.score,
        error=row.error,
        error_values=json.loads(row.error_values),
        position=place.position if place else 0,
        expected_start=place.start if place else None,
        estimate=row.estimate,
        keep=row.keep,
        trashed=row.trashed,
    )
