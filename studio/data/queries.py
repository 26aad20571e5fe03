"""Questions about a data version as the page asks them: pages, searches, findings, counts.

Once a server has said `ask_processes`, they are answered by a process of their own (`studio.data.answering`), so that
the web process neither reads rows nor grows with them; before that (command line, tests) right here. Pages have a
process to themselves: they do not wait behind what takes longer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from studio import child
from studio.data import answering, limits, process
from studio.data.checks import Shares
from studio.data.markers import Marker
from studio.data.paging import Rows, View
from studio.data.split import Formula
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.problem import Problem
from studio.spec import Split

log = logging.getLogger(__name__)
PATIENCE = 300.0
"""Seconds that an answer may take."""
_THREADS = str(max(1, min(4, os.cpu_count() or 1)))
_QUICK = ("page", "opened", "corrected")


class Answerer:
    """A data process, started when it is asked something and again when it has ended; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._noise: IO[bytes] | None = None
        self._slow = False

    def ask(self, version: DataVersion, name: str, arguments: list[Any]) -> Any:
        """The answer. Raises UserError of the question, or (`work_*`) for what ended the process badly."""
        line = json.dumps([name, [str(version.folder), *arguments]]).encode() + b"\n"
        with self._lock:
            told = self._told(line)
            if told is None and not self._failed():
                # It had ended of itself, for want of questions.
                told = self._told(line)
            if told is None:
                self._raise(version)
        assert told is not None
        if "error" in told:
            raise UserError(told["error"], **told["values"])
        if "bug" in told:
            raise RuntimeError(told["bug"])
        return told["answer"]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The process's id while there is one."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def _told(self, line: bytes) -> dict[str, Any] | None:
        """What the process says, or None where it ended before it said anything."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            return None
        end, told = time.monotonic() + PATIENCE, bytearray()
        while not told.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self._slow = True
                self._process.kill()
                self._process.wait()
                return None
            chunk = os.read(self._process.stdout.fileno(), 2**20)
            if not chunk:
                return None
            told += chunk
        answered: dict[str, Any] = json.loads(told)
        return answered

    def _start(self) -> None:
        self._slow = False
        self._noise = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            child.command("studio.data.answering"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=child.environment(**{**process.QUIET, "POLARS_MAX_THREADS": _THREADS, "RAYON_NUM_THREADS": _THREADS}),
            start_new_session=True,
        )

    def _failed(self) -> bool:
        """Whether the process ended badly; one that ended well is forgotten."""
        assert self._process is not None
        self._process.wait()
        if self._process.returncode:
            return True
        self._end()
        return False

    def _raise(self, version: DataVersion) -> None:
        assert self._process is not None
        assert self._noise is not None
        status = self._process.wait()
        self._noise.seek(0)
        noise = self._noise.read()[-2000:]
        log.error("the data process ended with %s: %s", status, noise.decode(errors="replace"))
        self._end()
        if self._slow:
            raise UserError("work_too_slow", name=version.name)
        if -status in process.KILLED or b"MemoryError" in noise:
            raise UserError("work_too_much_memory", name=version.name, limit=limits.MEMORY // 2**20)
        raise UserError("work_broke", name=version.name, status=status)

    def _end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._noise):
            with contextlib.suppress(OSError):
                stream.close() if stream else None
        self._process = self._noise = None


_processes: dict[bool, Answerer] = {}
"""By whether they are for quick questions; none until a server asks for them."""


def ask_processes() -> None:
    """From now on questions go to processes of their own."""
    _processes.update({quick: Answerer() for quick in (True, False) if quick not in _processes})


def end_processes() -> None:
    """End them; later questions are answered in this process again."""
    for quick in (True, False):
        if quick in _processes:
            _processes.pop(quick).close()


def pids() -> list[int]:
    """Ids of the data processes there are at this moment."""
    return [one.pid for one in _processes.values() if one.pid]


def _ask(version: DataVersion, name: str, *arguments: Any) -> Any:
    answerer = _processes.get(name in _QUICK)
    if answerer is not None:
        return answerer.ask(version, name, list(arguments))
    return answering.QUESTIONS[name](str(version.folder), *arguments)


def page(version: DataVersion, offset: int = 0, limit: int = 50, view: View | None = None) -> tuple[Rows, bool]:
    """See `paging.page`."""
    rows, more = _ask(version, "page", offset, limit, dataclasses.asdict(view or View()))
    return rows, more


def count(version: DataVersion, view: View) -> int:
    """See `paging.count`."""
    return version.rows if view.whole else int(_ask(version, "count", dataclasses.asdict(view)))


def check(version: DataVersion, task: str, columns: Mapping[str, str], split: Split) -> list[Problem]:
    """See `checks.check`."""
    found = _ask(version, "check", task, dict(columns), dataclasses.asdict(split))
    return [Problem.from_json(raw) for raw in found]


def shares(version: DataVersion, task: str, columns: Mapping[str, str], split: Split) -> Shares:
    """See `checks.shares`."""
    raw = _ask(version, "shares", task, dict(columns), dataclasses.asdict(split))
    formulas = tuple(Formula(*formula) for formula in raw["formulas"])
    tuples = {name: tuple(raw[name]) for name in ("untested", "unlearnt", "unlearnt_at", "left_at")}
    return Shares(**{**raw, **tuples, "formulas": formulas})


def label_counts(version: DataVersion, column: str, most: int | None = None) -> list[tuple[str, int]]:
    """See `charted.label_counts`."""
    return [(label, rows) for label, rows in _ask(version, "label_counts", column, most)]


def label_words(version: DataVersion, task: str, columns: Mapping[str, str]) -> list[tuple[str, list[Marker]]]:
    """See `charted.label_words`."""
    found = _ask(version, "label_words", task, dict(columns))
    return [(label, [Marker(*word) for word in words]) for label, words in found]


def length_histogram(version: DataVersion, task: str, columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """See `charted.length_histogram`."""
    return [(name, rows) for name, rows in _ask(version, "length_histogram", task, dict(columns))]


def opened(version: DataVersion, use: Use, row: int, cells: Mapping[str, str]) -> dict[str, Any]:
    """See `correcting.opened`."""
    told: dict[str, Any] = _ask(version, "opened", use.task, use.columns, row, dict(cells))
    return told


def corrected(
    version: DataVersion, use: Use, row: int, cells: Mapping[str, str], wish: Mapping[str, Any]
) -> dict[str, str]:
    """See `correcting.corrected`."""
    told: dict[str, str] = _ask(version, "corrected", use.task, use.columns, row, dict(cells), dict(wish))
    return told


def earlier(version: DataVersion, columns: Mapping[str, str], places: Sequence[int], most: int) -> list[str]:
    """See `threads.earlier_of`; nothing is asked where no column names conversations."""
    if not columns.get("thread") or not most:
        return [""] * len(places)
    return [str(text) for text in _ask(version, "earlier", dict(columns), list(places), most)]
