"""One web server a workspace: the second start is refused and told of the first."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from studio.errors import UserError
from studio.runs.disks import refuse_network
from studio.runs.files import read_json
from studio.workspace import Workspace


@contextmanager
def claim(workspace: Workspace, address: str) -> Iterator[None]:
    """Hold the workspace for a server at `address` while the block runs.

    Raises UserError: `server_running` naming the holder, `home_on_network` where locks hold nothing. The system frees
    the place when its holder dies.
    """
    refuse_network(workspace)
    path = workspace.home / "server.json"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("server_running", **_holder(workspace)) from None
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "address": address}
        file.truncate(0)
        file.write(json.dumps(me))
        file.flush()
        yield


def _holder(workspace: Workspace) -> dict[str, object]:
    known = read_json(workspace.home / "server.json") or {}
    since = float(known.get("since") or time.time())
    return {
        "pid": known.get("pid", "-"),
        "host": known.get("host", "-"),
        "since": time.strftime("%Y-%m-%d %H:%M", time.localtime(since)),
        "address": known.get("address", "-"),
    }
