"""Real desks, supervisors and keepers on a workspace of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from studio.runs import process
from studio.runs.desk import Desk
from studio.runs.files import read_json
from studio.runs.launchers.local import Local
from studio.runs.store import Store
from studio.runs.supervisor import Supervisor
from studio.runs.tables import leader
from studio.spec import Spec
from studio.workspace import Workspace

HERE = Path(__file__).parent


def wait_for(what: Callable[[], object], seconds: float = 20.0) -> object:
    """The first true answer of `what`; fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def holder_of(store: Store) -> dict | None:
    """The process that leads, as it wrote itself down; None when the place is empty."""
    with store.reading() as connection:
        row = connection.execute(sa.select(leader)).one_or_none()
    return json.loads(row.process) if row is not None and row.holder else None


class Bench:
    """One workspace under test."""

    def __init__(self, home: Path) -> None:
        self.workspace = Workspace.open(home)
        self.launcher = Local(self.workspace, "stub_keeper")
        self.desk = Desk(self.workspace, self.launcher)
        self.started: list[subprocess.Popen[bytes]] = []

    def lead(self, **deadlines: float) -> Supervisor:
        """A supervisor in this process, with its own deadlines."""
        self.desk.supervisor = Supervisor(self.desk.store, self.launcher, deadlines)
        self.desk.supervisor.start()
        return self.desk.supervisor

    def leader(self) -> subprocess.Popen[bytes]:
        """A supervisor in another process."""
        command = [sys.executable, str(HERE / "stub_leader.py"), str(self.workspace.home)]
        self.started.append(subprocess.Popen(command, start_new_session=True))
        return self.started[-1]

    def submit(self, owner: str = "local", key: str | None = None, **wish: object) -> str:
        return self.desk.submit(Spec("d-1", {}, "t", "m", "full", owner=owner, options={"stub": wish}), key)

    def until(self, run: str, *states: str, seconds: float = 20.0) -> None:
        wait_for(lambda: self.desk.get(run).state in states, seconds)

    def worker(self, run: str, attempt: int = 1) -> dict:
        return wait_for(lambda: read_json(self.desk.folder(run) / f"attempt-{attempt}.json"))

    def steps(self, run: str) -> list[int]:
        return [event["step"] for event in self.desk.events(run)[0] if event["event"] == "step"]

    def told(self, run: str) -> list[str]:
        """Codes of what was seen of the run's workers from outside."""
        return [event["code"] for event in self.desk.events(run)[0] if event["event"] == "watched"]

    def keeper(self) -> dict:
        return wait_for(self.launcher.keeper)

    def close(self) -> None:
        self.desk.close()
        for program in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        for record in self.workspace.home.glob("*/runs/*/attempt-*.json"):
            process.end_family(read_json(record))
        keeper = self.launcher.keeper()
        if keeper:
            os.kill(keeper["pid"], signal.SIGTERM)
            wait_for(lambda: not process.lives(keeper))
