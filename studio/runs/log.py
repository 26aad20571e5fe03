"""The log of a run: what its worker and libraries print, kept small. The first and the last part survive.

`pump` runs in a process of its own between the worker and the disk, so that a worker is never blocked by a screen
that does not look and never dies with the process that started it.
"""

from __future__ import annotations

import os
from pathlib import Path

HEAD = 5_000_000
"""Bytes of the first part, file `log`."""
PART = 2_500_000
"""Bytes of each of the two rolling last parts, files `log-old` and `log-new`."""


def pump(source: int, folder: Path) -> None:
    """Copy the file descriptor `source` into the folder's log files until its last writer has gone."""
    left = HEAD - _size(folder / "log")
    name = "log"
    target = _open(folder / name)
    while block := os.read(source, 65536):
        while block:
            if left <= 0:
                os.close(target)
                if name == "log-new":
                    os.replace(folder / "log-new", folder / "log-old")
                name = "log-new"
                target = _open(folder / name)
                left = PART - _size(folder / name)
                continue
            piece, block = block[:left], block[left:]
            left -= len(piece)
            _write(target, piece)


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _write(target: int, piece: bytes) -> None:
    # A full disk must not stop the worker: what cannot be written is dropped.
    try:
        os.write(target, piece)
    except OSError:
        return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_log(folder: Path, limit: int = 20_000) -> str:
    """The end of the log, at most `limit` characters of UTF-8 text."""
    text = b""
    for name in ("log-new", "log-old", "log"):
        path = folder / name
        size = _size(path)
        if size == 0:
            continue
        with path.open("rb") as file:
            file.seek(max(0, size - limit + len(text)))
            text = file.read() + text
        if len(text) >= limit:
            break
    return text[-limit:].decode("utf-8", errors="replace")
