"""From somebody's file to a data version: a limited child reads it, this process publishes the result in one rename.

This process never looks inside the file. Whatever goes wrong, nothing is left behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import queue
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from studio import child
from studio.data import limits
from studio.data.child import os_error
from studio.data.rows import tidy_name
from studio.data.store import DataVersion, open_version
from studio.errors import UserError
from studio.files import to_disk
from studio.workspace import Workspace

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
READER = 2
"""Part of every version's id: a reader that reads differently makes new versions and leaves the old ones alone."""
_QUIET = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RUST_BACKTRACE": "0",
    "MALLOC_ARENA_MAX": "2",
    # Arrow's and Polars' own allocators reserve a gigabyte ahead, which would count against RLIMIT_DATA.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "retain:false",
}
"""The child's environment: one thread, and no memory that it does not use."""
_KILLED = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGTRAP, signal.SIGILL)


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
    with tempfile.TemporaryFile() as noise:
        process = subprocess.Popen(
            child.command("studio.data.child", str(path.resolve()), name, str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=child.environment(**_QUIET),
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
        log.error(
            "the reader of a file ended with %s: %s", process.returncode, noise.read()[-2000:].decode(errors="replace")
        )
        if silent or process.returncode == -signal.SIGXCPU:
            raise UserError("data_too_slow", name=name)
        if -process.returncode in _KILLED:
            raise UserError("data_too_much_memory", name=name, limit=limits.MEMORY // 2**20)
        raise UserError("data_reader_broke", name=name, status=process.returncode)


def _listen(process: subprocess.Popen[bytes], emit: Progress) -> tuple[dict[str, Any], bool]:
    """(the child's last message, whether it fell silent). Returns when it is done, ends or is silent too long."""
    assert process.stdout is not None
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, said), daemon=True).start()
    patience = limits.SILENCE + limits.SECONDS_PER_MB * limits.UPLOAD_BYTES / 10**6
    last: dict[str, Any] = {}
    while True:
        try:
            line = said.get(timeout=patience)
        except queue.Empty:
            return {}, True
        if line is None:
            process.wait(timeout=patience)
            return last, False
        last = json.loads(line)
        if "progress" in last:
            emit(*last["progress"])


def _pump(stream: IO[bytes], said: queue.SimpleQueue[bytes | None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            said.put(line)
    said.put(None)
