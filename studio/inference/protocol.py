"""The line between client and inference process: one UNIX socket, one request a connection, one JSON object a line.

The client sends `{"op": ..., ...}`; the process answers `{"event": "accepted"}`, after `alive` while it still starts,
then any number of `loading`, `alive`, `piece` and `progress` events, and ends with `done` (`value`) or `error` (`code`,
`values`). Closing the connection cancels the request. Values are plain JSON; a path is a string.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.workspace import Workspace

LONGEST_LINE = 32 * 1024 * 1024
LONGEST_PATH = 100
"""Bytes: the address of a UNIX socket holds 108 on Linux and 104 on macOS, with the closing zero."""
ALIVE_SECONDS = 5.0


def socket_path(workspace: Workspace) -> Path:
    """Where the inference process of `workspace` listens.

    Inside the workspace; where that path is too long for a socket, in a folder of our own (0700) below the
    system's temporary folder, named after the workspace. Raises UserError (`inference_socket`) when that folder
    belongs to somebody else or is open to others.
    """
    inside = workspace.home / "inference.sock"
    if len(os.fsencode(inside)) <= LONGEST_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(workspace.home)).hexdigest()[:16]
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if parent and Path(parent).is_dir():
            folder = Path(parent) / f"studio-{os.getuid()}-{name}"
            if len(os.fsencode(folder / inside.name)) <= LONGEST_PATH:
                private_folder(folder)
                return folder / inside.name
    raise UserError("inference_socket", path=str(inside), reason="path too long")


def private_folder(folder: Path) -> None:
    """Make `folder` with mode 0700, or make sure it is ours alone. Raises UserError (`inference_socket`)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.lstat()
    except OSError as error:
        raise UserError("inference_socket", path=str(folder), reason=error.strerror or str(error)) from error
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise UserError("inference_socket", path=str(folder), reason=stat.filemode(seen.st_mode))


def encode(message: dict[str, Any]) -> bytes:
    """One line. Raises ValueError for numbers that JSON does not know."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """One message. Raises ValueError when the line is not a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message has to be a JSON object")
    return message
