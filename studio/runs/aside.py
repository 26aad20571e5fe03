"""A copy of a worker made before its first tensor, which waits beside it until there is a saved model to report on.

It knows nothing of the training but what lies on the disk, and has the worker's imports, so it is a fresh process that
costs no time. It never outlives its worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.events import Emit, Event
from studio.runs.ending import signal_name
from studio.runs.forking import oom_kills
from studio.spec import Spec

if TYPE_CHECKING:
    from studio.training.rows import Inputs

Work = Callable[..., tuple[str, float]]
"""A report of `studio.training.reporting`."""
_EVERY = 0.1
"""Seconds between two looks at a wish to stop."""
_DIES_WITH_PARENT = 1


class Aside:
    """The waiting process, as a context: it is gone afterwards. Called, it reports like `work` would here."""

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("fork")
        self._line, other = context.Pipe()
        self._kills = oom_kills()
        self._process = context.Process(target=_wait, args=(work, other, self._line, os.getpid()), daemon=True)
        self._process.start()
        other.close()

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._line.close()

    def __call__(
        self, run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, should_stop: Callable[[], str | None]
    ) -> tuple[str, float]:
        """The report's metric and its value; what the process tells meanwhile is emitted here.

        Raises what the work raised, Asked on a wish to stop, and UserError (`ended_by_signal`) or MemoryError when the
        process was killed.
        """
        from studio.training.job import Asked

        try:
            self._line.send((run_dir, spec, inputs))
            while True:
                if should_stop() == "stop":
                    raise Asked
                if not self._line.poll(_EVERY):
                    continue
                told = self._line.recv()
                if isinstance(told, _Raised):
                    raise told.error from RuntimeError(told.trace)
                if isinstance(told, tuple):
                    return told
                emit(told)
        except (EOFError, ConnectionError):
            raise self._death() from None

    def _death(self) -> Exception:
        self._process.join()
        if oom_kills() > self._kills:
            return MemoryError()
        number = -(self._process.exitcode or 0)
        return UserError("ended_by_signal", signal=number, name=signal_name(number))


def _wait(work: Work, line: Connection, foreign: Connection, parent: int) -> None:
    """Wait for the question or for the worker's end; the worker alone hears what asks it to stop."""
    foreign.close()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    _die_with(parent)

    def emit(event: Event) -> None:
        line.send(event)

    try:
        asked = line.recv()
    except EOFError:
        return
    answer: Any
    try:
        answer = work(*asked, emit, lambda: None)
    except BaseException as error:
        answer = _Raised.of(error)
    line.send(answer)


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its worker (Linux; elsewhere the closed line does while it waits)."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


@dataclass(frozen=True)
class _Raised:
    """An error on its way to the worker, with where it arose."""

    error: BaseException
    trace: str

    @staticmethod
    def of(error: BaseException) -> _Raised:
        trace = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return _Raised(RuntimeError(f"{type(error).__name__}: {error}"), trace)
        return _Raised(error, trace)
