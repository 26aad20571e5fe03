"""A limited child process of the data room, from its start to its last word; what ends it badly becomes a sentence.

The child tells JSON lines on standard output: {"progress": [done, total]}, and last {"done": ...} or {"error": code,
"values": {...}}.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import psutil

from studio import child
from studio.data import limits
from studio.errors import UserError

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
QUIET = {
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RUST_BACKTRACE": "0",
    "MALLOC_ARENA_MAX": "2",
    # Arrow's and Polars' own allocators reserve a gigabyte ahead, which would count against RLIMIT_DATA.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "retain:false",
}
"""The child's environment: one thread, and no memory that it does not use."""
KILLED = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGTRAP, signal.SIGILL)


@dataclass(frozen=True)
class Ends:
    """Codes of the errors for a child that took too long, took too much memory, or broke."""

    slow: str
    memory: str
    broke: str


def run(arguments: list[str], name: str, emit: Progress, ends: Ends) -> dict[str, Any]:
    """Run `python -m <arguments>` to its end and return what it told.

    Raises UserError for what it, or its end, says; `name` is what the words call the data.
    """
    with tempfile.TemporaryFile() as noise:
        process = subprocess.Popen(
            child.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=child.environment(**QUIET),
            start_new_session=True,
        )
        try:
            last, silent = _listen(process, emit)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        if "done" in last:
            result: dict[str, Any] = last["done"]
            return result
        if "error" in last:
            raise UserError(last["error"], **last["values"])
        noise.seek(0)
        told = noise.read()[-2000:].decode(errors="replace")
        log.error("a process of the data room ended with %s: %s", process.returncode, told)
        if silent or process.returncode == -signal.SIGXCPU:
            raise UserError(ends.slow, name=name)
        if -process.returncode in KILLED:
            raise UserError(ends.memory, name=name, limit=limits.MEMORY // 2**20)
        raise UserError(ends.broke, name=name, status=process.returncode)


def _listen(process: subprocess.Popen[bytes], emit: Progress) -> tuple[dict[str, Any], bool]:
    """(the child's last message, whether it fell silent). Returns when it is done, ends or is silent too long."""
    assert process.stdout is not None
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, said), daemon=True).start()
    patience = limits.SILENCE + limits.SECONDS_PER_MB * limits.UPLOAD_BYTES / 10**6
    last: dict[str, Any] = {}
    spent = 0.0
    while True:
        try:
            line = said.get(timeout=patience)
        except queue.Empty:
            spent, before = _processor_seconds(process.pid), spent
            if spent == before:
                return {}, True
            continue  # it works, on a machine that has hardly any time for it; its own limit is of processor seconds
        if line is None:
            process.wait(timeout=patience)
            return last, False
        last = json.loads(line)
        if "progress" in last:
            emit(*last["progress"])


def _processor_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _pump(stream: IO[bytes], said: queue.SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            said.put(line)
    said.put(None)
