"""Files that are there whole or not at all, stay so after a power cut, and say it when the system refuses them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NUMBER = re.compile(r"\(os error (\d+)\)")


def write_whole(path: Path, text: str) -> None:
    """Write beside, force to the disk, rename: a reader sees the old text or the new one, also after a power cut.

    Raises OSError with nothing left behind.
    """
    # Threads and processes may write the same file at once, so each fills one of its own.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    to_disk(path.parent)


def to_disk(path: Path) -> None:
    """Make a file's content, or a folder's list of names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turns what a library written in Rust raises of its own into the OSError behind it, with `path` as its file.

    safetensors and tokenizers tell of a full disk only in their message: "... (os error 28)".
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        number = _NUMBER.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
