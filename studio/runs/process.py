"""Who a process is, beyond a number that the system gives away again: pid, kernel start time and boot.

Linux is read from /proc; elsewhere psutil answers.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

Identity = dict[str, Any]
"""{"pid", "start", "boot"}."""

_STAT_STATE, _STAT_PARENT, _STAT_GROUP, _STAT_SESSION, _STAT_START = 0, 1, 2, 3, 19


def boot() -> str:
    """Something that changes with every start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time(), -1))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may itself hold spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def start_of(pid: int) -> str:
    """The kernel's start time of a living process; empty when there is none. A zombie does not live."""
    if os.path.exists("/proc/self/stat"):
        fields = _stat(pid)
        return fields[_STAT_START] if fields and fields[_STAT_STATE] not in "ZX" else ""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return ""


def identify(pid: int) -> Identity:
    """The identity of a living process; `start` is empty when it has just died."""
    return {"pid": pid, "start": start_of(pid), "boot": boot()}


def lives(identity: Identity) -> bool:
    """Whether exactly this process still lives: a number given to somebody else, or another boot, is a no."""
    pid = identity.get("pid")
    if not isinstance(pid, int) or pid <= 1 or not identity.get("start") or identity.get("boot") != boot():
        return False
    return bool(start_of(pid) == identity["start"])


def family(pid: int) -> list[int]:
    """`pid` and every living process in its group, in its session, or descended from it or from one of those."""
    import psutil

    known: dict[int, tuple[int, int, int]] = {}
    for other in psutil.pids():
        fields = _stat(other)
        if fields is None:
            continue
        if fields[_STAT_STATE] not in "ZX":
            known[other] = (int(fields[_STAT_PARENT]), int(fields[_STAT_GROUP]), int(fields[_STAT_SESSION]))
    members = {other for other, (_, group, session) in known.items() if other == pid or pid in (group, session)}
    while True:
        more = {other for other, (parent, _, _) in known.items() if parent in members} - members
        if not more:
            return sorted(members)
        members |= more


def end_family(identity: Identity, patience: float = 5.0) -> bool:
    """SIGKILL a process that leads its own session, and all it started; True when none is left.

    Members are frozen first, so that none can start another while the list is read. Somebody else's process that got
    the same number is never touched.
    """
    if not lives(identity):
        return True
    pid = int(identity["pid"])
    frozen: list[int] = []
    for _ in range(5):
        fresh = [member for member in family(pid) if member not in frozen]
        if not fresh:
            break
        for member in fresh:
            _send(member, signal.SIGSTOP)
        frozen += fresh
    marks = {member: start_of(member) for member in frozen}
    for member in frozen:
        _send(member, signal.SIGKILL)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not any(mark and start_of(member) == mark for member, mark in marks.items()):
            return True
        time.sleep(0.02)
    return False


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
