"""One child of the keeper, from the fork to the record of how it ended."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from studio.files import write_whole
from studio.runs import process
from studio.runs.files import read_json
from studio.runs.log import pump

TAKEN = 75
"""Exit code of a child that found its attempt taken by another process."""
_SUBREAPER = 36
_YIELD = 5
"""How far a run steps back where the page, or an answer in the playground, wants the processor it computes on."""


@dataclass
class Child:
    """What the keeper remembers of a child; `attempt` is 0 for a server."""

    name: str
    folder: Path
    record: Path
    attempt: int
    pid: int = 0
    began: float = field(default_factory=time.monotonic)
    kills: int = 0

    def write_exit(self, status: int, peak: int) -> None:
        """Write `exit-<attempt>.json` unless the attempt belongs to another process. `peak` is bytes."""
        known = read_json(self.record)
        if self.attempt == 0 or known is None or known["pid"] != self.pid:
            return
        code = os.waitstatus_to_exitcode(status)
        record = {
            **known,
            "attempt": self.attempt,
            "code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "oom": oom_kills() > self.kills,
            "seconds": round(time.monotonic() - self.began, 3),
            "peak": peak,
            "time": time.time(),
        }
        with contextlib.suppress(OSError):
            write_whole(self.folder / f"exit-{self.attempt}.json", json.dumps(record))


def oom_kills() -> int:
    """How often the kernel ended something in our control group for want of memory; 0 where that is not told."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        place = next(line[3:] for line in lines if line.startswith("0::"))
        counters = (Path("/sys/fs/cgroup") / place.strip("/") / "memory.events").read_text().split()
        return int(counters[counters.index("oom_kill") + 1])
    except (OSError, StopIteration, ValueError):
        return 0


def end_group(pid: int) -> None:
    """End what is left of the process group of a child that has died and is not yet waited for."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def start_child(
    child: Child, target: str, arguments: list[str], fresh: bool, keeper: tuple[process.Identity, list[int]]
) -> None:
    """Fork `child` and its log pump, and wait until it has written its record or ended.

    `target` is "module:function"; `fresh` runs it in a new Python. `keeper` is the keeper's identity and the file
    descriptors that are no business of its children.
    """
    child.kills = oom_kills()
    source, sink = os.pipe2(os.O_CLOEXEC)
    heard, said = os.pipe2(os.O_CLOEXEC)
    _fork_pump(source, [sink, heard, said, *keeper[1]], child.folder)
    pid = os.fork()
    if pid == 0:
        _become(child, sink, said, [source, heard, *keeper[1]], keeper[0])
        _work(target, arguments, fresh)
    child.pid = pid
    for end in (source, sink, said):
        os.close(end)
    os.read(heard, 1)
    os.close(heard)


def _fork_pump(source: int, foreign: list[int], folder: Path) -> None:
    """The process between a worker and its log; it is not in the worker's group and outlives the keeper."""
    if os.fork():
        return
    try:
        os.setsid()
        _reset(foreign)
        pump(source, folder)
    finally:
        os._exit(0)


def _reset(foreign: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in foreign:
        os.close(end)


def _become(child: Child, sink: int, said: int, foreign: list[int], keeper: process.Identity) -> None:
    """Turn the forked process into the child: own session, own log, own record."""
    try:
        os.setsid()
        _reset(foreign)
        os.umask(0o077)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(sink)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
        if child.attempt:
            os.nice(_YIELD)
        _adopt_orphans()
        os.chdir(child.folder)
        own = {**process.identify(os.getpid()), "keeper": keeper}
        partial = child.record.with_name(f".{child.record.name}.{os.getpid()}")
        partial.write_text(json.dumps(own))
        try:
            os.link(partial, child.record)
        except FileExistsError:
            os._exit(TAKEN)
        finally:
            partial.unlink()
        os.write(said, b".")
        os.close(said)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _adopt_orphans() -> None:
    """Keep grandchildren whose parent has died below this process, so that a kill finds them (Linux)."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _work(target: str, arguments: list[str], fresh: bool) -> NoReturn:
    code = 1
    try:
        if fresh:
            os.execv(sys.executable, [sys.executable, "-m", "studio.runs.forking", target, *arguments])
        code = call(target, arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def call(target: str, arguments: list[str]) -> int:
    """Import "module:function" and call it; its result is the exit code."""
    module, _, name = target.partition(":")
    result: Any = getattr(importlib.import_module(module), name)(*arguments)
    return int(result or 0)


if __name__ == "__main__":
    sys.exit(call(sys.argv[1], sys.argv[2:]))
