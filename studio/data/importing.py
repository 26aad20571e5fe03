"""From somebody's files to a data version: a limited child reads it, this process publishes the result in one rename.

This process never looks inside a file. Whatever goes wrong, nothing is left behind.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
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
    return import_files(workspace, owner, [(path, name)], emit, sample)


def import_files(
    workspace: Workspace,
    owner: str,
    files: Sequence[tuple[Path, str]],
    emit: Progress | None = None,
    sample: str = "",
    called: str = "",
    origin: Mapping[str, Any] | None = None,
) -> DataVersion:
    """Read several files (path, what its owner calls it) as one table, as `import_file` does one: the same columns are
    put one after the other, with a column that names each row's file where they have several names. `called` is the
    name of the whole, `origin` what is to be remembered of where it came from."""
    given = [(path, tidy_name(Path(name.replace("\\", "/")).name, 120) or "data") for path, name in files]
    name = tidy_name(called, 120) or given[0][1] + (f" + {len(given) - 1}" if len(given) > 1 else "")
    try:
        _check(given, name)
        digests = [_digest(path) for path, _ in given]
        version = "d-" + hashlib.sha256(f"{READER}:{owner}:{_told(digests, given, origin)}".encode()).hexdigest()[:16]
        final = workspace.data(owner, version)
        if not final.is_dir():
            source = {"name": name, "sha256": digests[0], "reader": READER, "created": time.time(), "sample": sample}
            if origin:
                source["origin"] = dict(origin)
            if len(given) > 1:
                source["files"] = [[named, digest] for (_, named), digest in zip(given, digests, strict=True)]
            _make(workspace, given, final, source, digests, emit or (lambda done, total: None))
    except OSError as error:
        raise os_error(error, name) from error
    return open_version(workspace, owner, version)


def import_text(workspace: Workspace, owner: str, text: str, name: str, emit: Progress | None = None) -> DataVersion:
    """Rows that somebody pasted, read as a file called `name` would be. Raises UserError (`data_paste_*`) besides."""
    if not text.strip():
        raise UserError("data_paste_empty")
    if len(text) > limits.PASTED_CHARACTERS:
        raise UserError("data_paste_long", limit=limits.PASTED_CHARACTERS)
    path = workspace.temporary / f"pasted-{secrets.token_hex(8)}"
    try:
        path.write_text(text, "utf-8", errors="replace", newline="")
        return import_file(workspace, owner, path, name, emit)
    except OSError as error:
        raise os_error(error, name) from error
    finally:
        path.unlink(missing_ok=True)


def _told(digests: Sequence[str], files: Sequence[tuple[Path, str]], origin: Mapping[str, Any] | None) -> str:
    """What the id is drawn from: the content; of several files also their names, which stand in a column; and where it
    came from, which is shown with it."""
    if len(digests) == 1 and not origin:
        return digests[0]
    named = [[name, digest] for (_, name), digest in zip(files, digests, strict=True)]
    return json.dumps([named, dict(origin)] if origin else named, sort_keys=True)


def _check(files: Sequence[tuple[Path, str]], name: str) -> None:
    if len(files) > limits.ARCHIVE_MEMBERS:
        raise UserError("data_files_many", count=len(files), limit=limits.ARCHIVE_MEMBERS)
    size = 0
    for path, named in files:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UserError("data_unreadable", name=named, reason="not a file")
        size += about.st_size
    if size > limits.UPLOAD_BYTES:
        raise UserError("data_too_large", name=name, size=round(size / 10**6, 1), limit=limits.UPLOAD_BYTES // 10**6)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _make(
    workspace: Workspace,
    files: Sequence[tuple[Path, str]],
    final: Path,
    source: dict[str, Any],
    digests: Sequence[str],
    emit: Progress,
) -> None:
    folder = workspace.temporary / f"import-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        done = _run(files, source["name"], folder, emit)
        if done.pop("sha256") != list(digests):
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


def _run(files: Sequence[tuple[Path, str]], name: str, folder: Path, emit: Progress) -> dict[str, Any]:
    """Run the child to its end and return what it told. Raises UserError for what it, or its end, says."""
    told = [text for path, named in files for text in (str(path.resolve()), named)]
    return process.run(["studio.data.child", str(folder), name, *told], name, emit, _ENDS)
