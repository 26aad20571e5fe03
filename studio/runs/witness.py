"""What a leader sees of a worker, and tells of it on the run's timeline: a killed process says nothing itself."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.events import Watched
from studio.runs import journal, ladder
from studio.runs.ending import Ending
from studio.runs.launchers.base import Handle
from studio.training.memory import Rung


@dataclass
class Watch:
    """What a leader remembers of an attempt it follows; all of it can be read again."""

    tail: journal.Tail
    state: str = ""
    since: float = 0.0
    last_event: float = 0.0
    heard: bool = False
    adopted: bool = False
    """Another leader began to follow it, and nothing has been told of that yet."""
    told: set[str] = field(default_factory=set)
    gone: float | None = None
    killed: Ending | None = None
    start: threading.Thread | None = None
    answer: list[Handle | UserError] = field(default_factory=list)

    def hear(self) -> bool:
        """Whether the worker itself has said something new; what leaders told of it is only remembered."""
        records = self.tail.read()
        self.told |= {record["code"] for record in records if record["event"] == "watched"}
        return any(record["event"] != "watched" for record in records)


def tell(folder: Path, attempt: int, code: str, values: dict[str, Any]) -> None:
    """Add what was seen to the attempt's events, at the last step it has told."""
    journal.add(folder, attempt, Watched(code, values, _step(folder, attempt)))


def tell_end(folder: Path, attempt: int, ending: Ending, rung: Rung | None) -> None:
    """Tell how the attempt ended unless it said so itself, and the smaller way in which the run goes on."""
    if ending.error and journal.last_event(folder, attempt, ("done", "stopped", "failed")) is None:
        tell(folder, attempt, f"error.{ending.error}", ending.values)
    if rung is not None:
        journal.add(folder, attempt, ladder.told(rung, _step(folder, attempt)))


def _step(folder: Path, attempt: int) -> int:
    last = journal.last_event(folder, attempt, ("step", "resumed"))
    return int(last["step"]) if last else 0
