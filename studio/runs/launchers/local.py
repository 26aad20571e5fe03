"""Starts workers on this machine through the workspace's keeper, which it starts when there is none."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from studio import hardware
from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs import process
from studio.runs.files import read_json
from studio.runs.keeper import RECORD, code_version, environment
from studio.runs.launchers.base import Handle
from studio.workspace import Workspace

logger = logging.getLogger(__name__)

SHORT = 0.25
"""Share of the host's memory below which a new worker asks the playground's models to go."""
PATIENCE = 120.0
"""Seconds to wait for a keeper that is still importing."""


class Local:
    """The launcher of one machine. `module` is the keeper to start; tests give their own."""

    def __init__(self, workspace: Workspace, module: str = "studio.runs.keeper") -> None:
        self.workspace = workspace
        self.module = module

    # ---- the launcher's four ----

    def warm(self) -> None:
        """Start the keeper if there is none, without waiting for its imports."""
        self._reach().close()

    def submit(self, kind: str, folder: Path, attempt: int) -> Handle:
        """Start the worker of an attempt, or find it. Raises UserError (`keeper_silent`)."""
        known = read_json(folder / f"attempt-{attempt}.json")
        if known is not None:
            return known
        self._make_room()
        return self.ask({"do": "start", "kind": kind, "folder": str(folder), "attempt": attempt, "exec": self._exec()})

    def alive(self, handle: Handle) -> bool:
        """Whether the worker still works; one that is stopped by a signal counts as alive."""
        return process.lives(handle)

    def orphaned(self, handle: Handle) -> bool:
        """Whether the keeper that started the worker has gone."""
        return not process.lives(handle.get("keeper", {}))

    def kill(self, handle: Handle) -> None:
        """End the worker and everything it started."""
        process.end_family(handle)

    # ---- other children of the keeper ----

    def serve(self, name: str, arguments: Sequence[str]) -> Handle:
        """Start a long-lived helper of the workspace (such as "inference") unless it runs; its log is `<name>.log`."""
        return self.ask({"do": "serve", "name": name, "arguments": list(arguments), "exec": self._exec()})

    def measure(self, folder: Path) -> Handle:
        """Start a child that measures what `folder` asks for (`studio.runs.speeds`)."""
        return self.ask({"do": "start", "kind": "measure", "folder": str(folder), "attempt": 1, "exec": self._exec()})

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """One question to the keeper, started when needed. Raises UserError (`keeper_silent`)."""
        reason = ""
        for _ in range(3):
            try:
                with self._reach() as line:
                    line.settimeout(PATIENCE)
                    line.sendall(json.dumps(question).encode() + b"\n")
                    answer = json.loads(_line(line) or b"{}")
            except (OSError, ValueError) as error:
                reason = str(error)
                continue
            if "error" in answer:
                raise UserError("keeper_silent", reason=answer["error"], log=str(self.log))
            if answer:
                return dict(answer)
            reason = "it closed the line"
        raise UserError("keeper_silent", reason=reason, log=str(self.log))

    @property
    def log(self) -> Path:
        return self.workspace.home / "keeper.log"

    def keeper(self) -> dict[str, Any] | None:
        """The record of the living keeper, or None."""
        record = read_json(self.workspace.home / RECORD)
        return record if record and process.lives(record) else None

    def _reach(self) -> socket.socket:
        """A line to a keeper of today's code. An older one is asked to finish its workers and go."""
        end = time.monotonic() + 30
        while True:
            record = self.keeper()
            line = _dial(record["socket"]) if record else None
            if line is not None and record is not None:
                if record["code"] == code_version(self.module):
                    return line
                with line:
                    line.settimeout(PATIENCE)
                    line.sendall(b'{"do": "retire"}\n')
                    _line(line)
                continue
            if time.monotonic() > end:
                raise OSError(f"no answer from {self.module}")
            self._start()
            time.sleep(0.05)

    def _start(self) -> None:
        # The program steps into the background by itself, so this returns at once and leaves no child behind.
        command = [sys.executable, "-m", self.module, str(self.workspace.home)]
        with self.log.open("ab") as log:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.workspace.home,
                env=environment(),
            )
        if done.returncode:
            raise OSError(f"exit code {done.returncode}")

    def _make_room(self) -> None:
        """Where memory is short, have the inference process give up the models that nobody uses at this moment."""
        known = hardware.read(self.workspace)
        memory = psutil.virtual_memory()
        if (known is not None and known.device_memory) or memory.available < SHORT * memory.total:
            try:
                InferenceClient(self.workspace).unload()
            except UserError as error:
                logger.warning("no room was made: %s", error)

    def _exec(self) -> bool:
        """Whether workers use an accelerator: those start in a fresh Python, never by fork."""
        known = hardware.read(self.workspace)
        return known is not None and known.device != "cpu"


def _dial(path: str) -> socket.socket | None:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(5)
    try:
        line.connect(os.fspath(path))
    except OSError:
        line.close()
        return None
    return line


def _line(line: socket.socket) -> bytes:
    block = b""
    while not block.endswith(b"\n"):
        piece = line.recv(65536)
        if not piece:
            break
        block += piece
    return block
