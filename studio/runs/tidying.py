"""What nobody needs any more goes: files left in tmp/ by what was killed or never fetched, and old trash."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from studio.data import versions
from studio.runs import states
from studio.runs.store import Store
from studio.workspace import Workspace

STALE = states.DAY
"""Seconds after its last change from which on a temporary file is in nobody's use."""
TRASH_DAYS = 7
"""How long a deleted run, or version of data, can be brought back."""
_STANDING = ("uploads", "empty")
"""Folders of tmp/ that the web server needs; only what lies in them goes."""


def tidy(store: Store) -> None:
    """Sweep tmp/ and empty the trash of what is too old."""
    sweep(store.workspace)
    purge(store)
    versions.purge(store.workspace, TRASH_DAYS * states.DAY, lambda version: bool(store.runs_of_data(version)))


def sweep(workspace: Workspace, older_than: float = STALE) -> int:
    """Remove what has lain in tmp/ without a change for `older_than` seconds; returns how many entries."""
    limit = time.time() - older_than
    gone = 0
    for entry in _entries(workspace.temporary):
        with contextlib.suppress(OSError):
            if _changed(entry) > limit:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
            gone += 1
    return gone


def _entries(temporary: Path) -> Iterator[Path]:
    for entry in [*temporary.iterdir()] if temporary.is_dir() else ():
        if entry.name in _STANDING and entry.is_dir():
            yield from [*entry.iterdir()]
        else:
            yield entry


def _changed(entry: Path) -> float:
    """The last change of the entry or of anything in it: a folder's own time says nothing about a file that grows."""
    newest = entry.lstat().st_mtime
    if entry.is_symlink():
        return newest
    for folder, _, files in os.walk(entry):
        for name in (folder, *(os.path.join(folder, file) for file in files)):
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, os.lstat(name).st_mtime)
    return newest


def purge(store: Store, older_than: float = TRASH_DAYS * states.DAY) -> int:
    """Remove for good what has been in the trash longer than `older_than` seconds; returns how many runs."""
    limit = time.time() - older_than
    gone = [row for row in store.list_runs(trashed=True, limit=1_000_000) if row.trashed <= limit]
    for row in gone:
        shutil.rmtree(store.workspace.run(row.owner, row.id), ignore_errors=True)
        store.drop_run(row.id)
    return len(gone)
