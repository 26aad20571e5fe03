"""From somebody's file to a data version: a limited child reads it, this process publishes the result in one rename.

This process never looks inside the file. Whatever goes wrong, nothing is left behind.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import stat
import time
from pathlib import Path
from typing import Any

from studio.data import limits, process
from studio.data.child import os_error
from studio.data.process import Progress
from studio.data.rows import tidy_name
from studio.data.store import DataVersion, open_version
from studio.errors import UserError
from studio.files import to_disk
from studio.workspace import Workspace

READER = 1
"""Part of every version's id: a reader that reads differently makes new versions and leaves the old ones alone."""
_ENDS = process.Ends("data_too_slow", "data_too_much_memory", "data_reader_broke")


def import_file(
    workspace: Workspace, owner: str, path: Path, name: str, emit: Progress | None = None, sample: str = ""
) -> DataVersion:
    """Read `path`, called `name` by its owner, and publish it; the same content again gives the same version.

    `emit(done, total)` hears bytes read. Raises UserError (`error.data_*`) with nothing left behind.
    """
    name = tidy_name(Path(name.replace("\\", "/")).name, 120) or "data"
    try:
        _check(path, name)
        digest = _digest(path)
        version = "d-" + hashlib.sha256(f"{READER}:{owner}:{digest}".encode()).hexdigest()[:16]
        final = workspace.data(owner, version)
        if not final.is_dir():
            source = {"name": name, "sha256": digest, "reader": READER, "created": time.time(), "sample": sample}
            _make(workspace, path, final, source, emit or (lambda done, total: None))
    except OSError as error:
        raise os_error(error, name) from error
    return open_version(workspace, owner, version)


def _check(path: Path, name: str) -> None:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise UserError("data_unreadable", name=name, reason="not a file")
    if about.st_size > limits.UPLOAD_BYTES:
        size = round(about.st_size / 10**6, 1)
        raise UserError("data_too_large", name=name, size=size, limit=limits.UPLOAD_BYTES // 10**6)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _make(workspace: Workspace, path: Path, final: Path, source: dict[str, Any], emit: Progress) -> None:
    folder = workspace.temporary / f"import-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        done = _run(path, source["name"], folder, emit)
        if done.pop("sha256") != source["sha256"]:
            raise UserError("data_changed", name=source["name"])
        (folder / "source.json").write_text(json.dumps({**source, **done}, ensure_ascii=False), "utf-8")
        publish(folder, final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, final: Path) -> None:
    """Make `folder` appear as `final` at once and for good; where another did so first, theirs stays."""
    for file in [*folder.iterdir(), folder]:
        to_disk(file)
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        folder.rename(final)
    except OSError:
        if not final.is_dir():
            raise
    to_disk(final.parent)


def _run(path: Path, name: str, folder: Path, emit: Progress) -> dict[str, Any]:
    """Run the child to its end and return what it told. Raises UserError for what it, or its end, says."""
    return process.run(["studio.data.child", str(path.resolve()), name, str(folder)], name, emit, _ENDS)
