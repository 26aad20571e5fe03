"""Small helper processes of this package: how they start and how they limit themselves. Not for training runs."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path


def command(module: str, *arguments: str) -> list[str]:
    """The argument vector that runs `module` of this package with this Python; never through a shell."""
    return [sys.executable, "-m", module, *arguments]


def environment(**extra: str) -> dict[str, str]:
    """The environment of such a child: this one, able to import this very package from any folder."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, root]), "PYTHONSAFEPATH": "1", **extra}


FULL = 28
"""Exit code of a child that found the disk full: there may be no room left to say so in a file."""


def is_full(error: BaseException) -> bool:
    """Whether an error means that the disk is full; some libraries only say so in their message."""
    return getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)


def leave(result: str, outcome: dict[str, object]) -> None:
    """Called by the child at its end: write `outcome` for the parent, or leave with FULL where there is no room."""
    try:
        Path(result).write_text(json.dumps(outcome), "utf-8")
    except OSError as error:
        if is_full(error):
            sys.exit(FULL)
        raise


def end_of(returncode: int) -> str:
    """How a child ended, for a sentence: the signal's name, or the exit code."""
    if returncode >= 0:
        return f"exit code {returncode}"
    known = {int(number): number.name for number in signal.Signals}
    return known.get(-returncode, f"signal {-returncode}")


def limit(memory: int = 0, seconds: int = 0, file_bytes: int = 0) -> None:
    """Called by the child before it opens anything: bytes of data, seconds of processor, bytes a file (0: no limit).

    The address space is not limited: torch, pyarrow and Polars reserve far more of it than they use.
    """
    os.umask(0o077)
    try:
        import resource
    except ImportError:  # a system without rlimits
        return
    for kind, value in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
    ):
        hard = resource.getrlimit(kind)[1]
        if value and (hard == resource.RLIM_INFINITY or value < hard):
            resource.setrlimit(kind, (value, value))


def end_with_parent() -> None:
    """Called by a child that may work for long: it ends within a second of the process that started it, however that
    ended, so that nobody goes on writing where another attempt may have begun."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
