"""The event files of a run: written by its worker, read by everyone else through an opaque cursor.

One file per attempt, `events-<attempt>.jsonl`, made by exclusive creation so that two processes never share one.
Readers take whole lines only and never show a step twice: what an older attempt did past the point where a newer one
took over is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.events import Caution, Checkpoint, Done, Event, Failed, Stopped, Watched, to_json

POINTS = 2000
"""Most steps in a first reply; more are thinned to the lowest and highest loss of each stretch."""

_FILE = re.compile(r"events-(\d+)\.jsonl")
_DURABLE = (Checkpoint, Stopped, Failed, Done)
_SPOKEN = (*_DURABLE, Caution)
_RESERVE = 65_536
"""Bytes held back so that a run whose disk is full can still say so."""
_CURSOR = re.compile(r"(\d{1,9})\.(\d{1,18})\.(\d{1,18})\.(\d{1,9})")
"""Attempt, offset in its file, last step shown, and the attempt that step belongs to."""

Record = dict[str, Any]
"""One event as JSON, with `event`, `time` and the `attempt` it belongs to."""


class Journal:
    """The writing end. Threads may share it. A full disk loses steps, never the run nor how it ended."""

    def __init__(self, folder: Path, attempt: int) -> None:
        """Create the attempt's file. Raises FileExistsError when another process has taken the attempt."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(folder / f"events-{attempt}.jsonl", flags, 0o600)
        self._lock = threading.Lock()
        self._reserve = folder / ".reserve"
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(bytes(_RESERVE))
        self._torn = False
        self.lost = 0

    def emit(self, event: Event) -> None:
        """Append one event as a line; endings and checkpoints are forced to the disk."""
        line = json.dumps(to_json(event, round(time.time(), 3)), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._write(line, isinstance(event, _DURABLE))
            if self._torn and isinstance(event, _SPOKEN) and self._reserve.exists():
                self._reserve.unlink(missing_ok=True)
                self._write(line, isinstance(event, _DURABLE))
            self.lost += self._torn

    def _write(self, line: bytes, durable: bool) -> None:
        whole = b"\n" + line if self._torn else line
        try:
            self._torn = os.write(self._file, whole) != len(whole)
            if durable:
                os.fsync(self._file)
        except OSError:
            self._torn = True

    def close(self) -> None:
        os.close(self._file)
        with contextlib.suppress(OSError):
            self._reserve.unlink()


def add(folder: Path, attempt: int, event: Watched) -> None:
    """Append what was seen of a worker from outside to the file that it has made; nothing where it made none."""
    line = json.dumps(to_json(event, round(time.time(), 3)), ensure_ascii=False).encode()
    try:
        file = os.open(folder / f"events-{attempt}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # A line of its own, even behind one that the worker did not finish.
        os.write(file, b"\n" + line + b"\n")
    except OSError:
        return
    finally:
        os.close(file)


def attempts_of(folder: Path) -> list[int]:
    """The attempts that have an event file, oldest first."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name)))


class Tail:
    """Follows one attempt's file from a byte offset, whole lines only."""

    def __init__(self, folder: Path, attempt: int, offset: int = 0) -> None:
        self.path = folder / f"events-{attempt}.jsonl"
        self.attempt = attempt
        self.offset = offset

    def read(self) -> list[Record]:
        """The events written since the last call; lines that are not events are passed over."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                block = file.read()
        except FileNotFoundError:
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [record for line in whole.split(b"\n") if (record := _record(line, self.attempt))]


def _record(line: bytes, attempt: int) -> Record | None:
    try:
        raw = json.loads(line)
    except ValueError:
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("event"), str):
        return None
    if raw["event"] in ("step", "eval", "sample", "checkpoint", "resumed") and not isinstance(raw.get("step"), int):
        return None
    return {**raw, "attempt": attempt}


def last_event(folder: Path, attempt: int, kinds: Iterable[str]) -> Record | None:
    """The newest event of one of some kinds in an attempt's file."""
    wanted = set(kinds)
    found = [record for record in Tail(folder, attempt).read() if record["event"] in wanted]
    return found[-1] if found else None


def read(folder: Path, cursor: str = "") -> tuple[list[Record], str, bool]:
    """Events after `cursor`, the cursor to ask with next, and whether to forget what was shown before.

    An empty or unknown cursor gives the whole history, thinned to about `POINTS` steps, with reset True; so does the
    moment at which a newer attempt goes back behind steps already shown.
    """
    parsed = _CURSOR.fullmatch(cursor)
    if parsed:
        delta = _since(folder, *(int(part) for part in parsed.groups()))
        if delta is not None:
            return (*delta, False)
    return _whole(folder)


def _since(folder: Path, attempt: int, offset: int, seen: int, owner: int) -> tuple[list[Record], str] | None:
    """What is new, or None when a newer attempt goes back behind the step `seen` of attempt `owner`."""
    if attempt and _size(folder, attempt) < offset:
        return None
    found: list[Record] = []
    for number in [item for item in attempts_of(folder) if item >= attempt]:
        tail = Tail(folder, number, offset if number == attempt else 0)
        for record in tail.read():
            if record["event"] in ("step", "resumed"):
                again = record["step"] < seen + (record["event"] == "step")
                if again and number > owner:
                    return None
                if again:
                    continue
                seen, owner = record["step"], number
            found.append(record)
        attempt, offset = number, tail.offset
    return found, f"{attempt}.{offset}.{seen}.{owner}"


def _size(folder: Path, attempt: int) -> int:
    try:
        return (folder / f"events-{attempt}.jsonl").stat().st_size
    except FileNotFoundError:
        return -1


def _whole(folder: Path) -> tuple[list[Record], str, bool]:
    tails = [Tail(folder, number) for number in attempts_of(folder)]
    kept: list[Record] = []
    for tail in tails:
        records = tail.read()
        start = _takes_over(records)
        if start is not None:
            kept = [record for record in kept if not _is_past(record, start)]
        kept += _rising(records)
    last = tails[-1] if tails else None
    seen, owner = max(
        ((record["step"], record["attempt"]) for record in kept if record["event"] in ("step", "resumed")),
        default=(0, 0),
    )
    cursor = f"{last.attempt}.{last.offset}.{seen}.{owner}" if last else "0.0.0.0"
    return thin(_latest_phases(kept)), cursor, True


def _takes_over(records: list[Record]) -> int | None:
    """The step after which an attempt's own steps begin, or None while it has not said."""
    for record in records:
        if record["event"] == "resumed":
            return int(record["step"])
        if record["event"] == "step":
            return int(record["step"]) - 1
    return None


def _is_past(record: Record, start: int) -> bool:
    return (
        record["event"] in ("step", "eval", "sample", "checkpoint", "note", "caution") and record.get("step", 0) > start
    )


def _rising(records: list[Record]) -> list[Record]:
    """Without repeated steps."""
    kept, seen = [], -1
    for record in records:
        if record["event"] == "step":
            if record["step"] <= seen:
                continue
            seen = record["step"]
        kept.append(record)
    return kept


def _latest_phases(records: list[Record]) -> list[Record]:
    """Of the many progress lines of a phase only the newest, where the phase began."""
    newest = {(record["attempt"], record.get("name")): record for record in records if record["event"] == "phase"}
    kept, shown = [], set()
    for record in records:
        if record["event"] == "phase":
            phase = (record["attempt"], record.get("name"))
            if phase in shown:
                continue
            shown.add(phase)
            record = {**newest[phase], "time": record["time"]}
        kept.append(record)
    return kept


def thin(records: list[Record], points: int = POINTS) -> list[Record]:
    """At most about `points` steps: of each stretch the lowest and highest loss and every gap's first step survive."""
    steps = [index for index, record in enumerate(records) if record["event"] == "step"]
    if len(steps) <= points:
        return records
    buckets = points // 2 - 1
    keep = {steps[0], steps[-1]}
    for bucket in range(buckets):
        stretch = steps[bucket * len(steps) // buckets : (bucket + 1) * len(steps) // buckets]
        known = [index for index in stretch if records[index].get("loss") is not None]
        if known:
            keep.add(min(known, key=lambda index: records[index]["loss"]))
            keep.add(max(known, key=lambda index: records[index]["loss"]))
        else:
            keep.add(stretch[0])
    return [record for index, record in enumerate(records) if record["event"] != "step" or index in keep]
