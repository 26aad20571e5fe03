"""Small files of a run: read back, and a full disk told as such."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.errors import UserError


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when the file is missing or is no such thing."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


def is_full(error: BaseException) -> bool:
    """Whether an error means that there is no room left, on the disk or in somebody's share of it."""
    # SQLAlchemy's errors carry the database's own; it is not imported here, where the keeper and workers come by.
    if "disk is full" in str(getattr(error, "orig", "")):
        return True
    # The library that keeps encoded rows looks for room beforehand, and raises an error of its own making.
    foreseen = "Not enough disk space" in str(error)
    return isinstance(error, OSError) and (foreseen or error.errno in (errno.ENOSPC, errno.EDQUOT))


@contextmanager
def told_when_full(path: Path) -> Iterator[None]:
    """Turns a full disk into a UserError (`disk_full`)."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise UserError("disk_full", path=str(path)) from error
        raise
