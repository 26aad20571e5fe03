"""How an attempt ended, judged from what lies in its folder: the last event first, then the keeper's exit record.

The supervisor writes the final state from this, never the worker alone; nothing is guessed.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.runs import journal, states
from studio.runs.files import read_json


@dataclass(frozen=True)
class Ending:
    """A final state with what goes into the job's row."""

    state: str
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    metric: str = ""
    score: float | None = None

    def columns(self) -> dict[str, Any]:
        return {
            "error": self.error,
            "error_values": json.dumps(self.values, ensure_ascii=False),
            "metric": self.metric,
            "score": self.score,
        }


def judge(folder: Path, attempt: int) -> Ending | None:
    """The ending of an attempt whose worker is gone, or None while only an exit record could tell."""
    final = journal.last_event(folder, attempt, ("done", "stopped", "failed"))
    if final is not None:
        return _from_event(final, folder)
    record = read_json(folder / f"exit-{attempt}.json")
    if record is None:
        return None
    if record.get("oom"):
        return Ending(states.OUT_OF_MEMORY, "out_of_memory")
    if record.get("signal"):
        number = int(record["signal"])
        return Ending(states.FAILED, "ended_by_signal", {"signal": number, "name": signal_name(number)})
    return Ending(states.FAILED, "ended_by_code", {"code": record.get("code")})


def unknown(attempt: int) -> Ending:
    """Nobody saw the end."""
    return Ending(states.INTERRUPTED, "end_unknown", {"attempt": attempt})


def _from_event(final: journal.Record, folder: Path) -> Ending:
    if final["event"] == "done":
        return Ending(states.DONE, metric=final.get("metric") or "", score=final.get("score"))
    if final["event"] == "stopped":
        # Stopped to keep the best: there is a report all the same.
        report = read_json(folder / "report.json") or {}
        metric = str(report.get("main_metric", ""))
        return Ending(states.STOPPED, metric=metric, score=report.get("test", {}).get(metric))
    kind = final.get("kind")
    known = kind if kind in (states.OUT_OF_MEMORY, states.NON_FINITE) else states.FAILED
    return Ending(known, str(final.get("code", "worker_bug")), dict(final.get("values") or {}))


def signal_name(number: int) -> str:
    """SIGKILL for 9; the number itself where the system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
