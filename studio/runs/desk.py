"""The desk: the one place where the screen, the command line and Python ask for runs and look at them.

It writes down what is asked and reads what is there. It starts nothing by itself; `supervise` hands the work of this
process to a background thread that becomes leader when no other process is.
"""

from __future__ import annotations

import builtins
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from studio import rights
from studio.errors import UserError
from studio.files import write_whole
from studio.inference import protocol
from studio.models import earlier
from studio.runs import journal, states
from studio.runs.disks import refuse_network
from studio.runs.files import read_json, told_when_full
from studio.runs.log import read_log
from studio.runs.people import People
from studio.runs.rebuild import rebuild
from studio.runs.store import Store
from studio.runs.tidying import TRASH_DAYS, purge
from studio.runs.view import RunView, places, view
from studio.spec import Spec
from studio.workspace import Workspace, checked_id, new_id

if TYPE_CHECKING:
    from studio.runs.launchers.local import Local
    from studio.runs.supervisor import Supervisor


class Desk:
    """All that can be asked of the runs of one workspace. Threads may share a desk.

    `who` is the id of the person who asks, None for a program of this machine; see `rights.may_see`.
    """

    def __init__(self, workspace: Workspace, launcher: Local | None = None) -> None:
        """Open the workspace's database.

        Raises UserError (`home_on_network`, `database_newer`, `database_damaged`).
        """
        from studio.runs.launchers.local import Local

        refuse_network(workspace)
        self.workspace = workspace
        self.store = Store(workspace)
        if self.store.fresh:
            rebuild(self.store)
        self.people = People(self.store)
        self.launcher = launcher or Local(workspace)
        self.supervisor: Supervisor | None = None

    def supervise(self) -> Supervisor:
        """Start (once) this process's supervisor thread."""
        from studio.runs.supervisor import Supervisor

        if self.supervisor is None:
            self.supervisor = Supervisor(self.store, self.launcher)
            self.supervisor.start()
        return self.supervisor

    def start_inference(self) -> None:
        """Have the workspace's inference process running. Raises UserError (`keeper_silent`)."""
        socket = protocol.socket_path(self.workspace)
        self.launcher.serve("inference", [str(socket), str(self.workspace.home)])

    def close(self) -> None:
        """Give up leadership and close the database. Runs go on."""
        if self.supervisor is not None:
            self.supervisor.close()
            self.supervisor = None
        self.store.close()

    # ---- asking ----

    def submit(self, spec: Spec, key: str | None = None, data_name: str = "", estimate: float | None = None) -> str:
        """Queue a run and return its id. The same `key` by the same owner again returns the run it made first.

        `estimate` is the predicted seconds of work, `data_name` what the data is called on screen. Raises UserError
        (`disk_full`) with nothing left behind.
        """
        if key and (known := self.store.run_by_key(spec.owner, key)):
            return known
        run = new_id("r")
        folder = self.workspace.run(spec.owner, run)
        values: dict[str, Any] = {
            "id": run,
            "owner": spec.owner,
            "key": key,
            "name": spec.name or data_name or spec.task,
            "task": spec.task,
            "model": spec.model,
            "method": spec.method,
            "data": spec.data,
            "data_name": data_name,
            "preset": spec.preset,
            "created": time.time(),
        }
        made = ""
        try:
            with told_when_full(folder):
                folder.mkdir(parents=True, mode=0o700)
                write_whole(folder / "spec.json", spec.dumps())
                made = self.store.add_run(values, estimate)
        finally:
            if made != run:
                shutil.rmtree(folder, ignore_errors=True)
        self._wake()
        return made

    def resume(self, run: str, who: str | None = None) -> None:
        """Queue a further attempt that continues from the newest whole checkpoint.

        Raises UserError `run_active` while the run is at work and `run_done` when nothing is left to do.
        """
        row = self._row(run, who)
        if row.state in states.ACTIVE:
            raise UserError("run_active", name=row.name, state=row.state)
        if row.state == states.DONE:
            raise UserError("run_done", name=row.name)
        (self.folder(run, who) / "STOP").unlink(missing_ok=True)
        # Work in the trash would be invisible and could be purged under way.
        self.store.change_run(row.id, trashed=None)
        self.store.add_job(row)
        self._wake()

    def stop(self, run: str, keep: str = "last", who: str | None = None) -> None:
        """Ask a run to save and end ("last"), or to end with its best checkpoint ("best").

        A queued run ends at once. Asking for "last" after "best" ends the waiting for the best. Raises UserError
        `run_not_active` when it has already ended.
        """
        while True:
            row = self._row(run, who)
            if row.state in states.TERMINAL:
                raise UserError("run_not_active", name=row.name, state=row.state)
            job = self.store.last_job(row.id)
            if job.state == states.QUEUED:
                if self.store.move(job, states.STOPPED):
                    return
                continue
            write_whole(self.folder(run, who) / "STOP", "best" if keep == "best" else "stop")
            if job.state == states.STOPPING:
                if keep != "best":
                    self.store.hurry(job)
                return
            if self.store.move(job, states.STOPPING, keep=keep):
                self._wake()
                return

    def rename(self, run: str, name: str, who: str | None = None) -> None:
        """Give a run another name. Raises UserError (`name_empty`)."""
        row = self._row(run, who)
        shown = " ".join(name.split())[:200]
        if not shown:
            raise UserError("name_empty", name=row.name)
        self.store.change_run(row.id, name=shown)

    def delete(self, run: str, who: str | None = None) -> None:
        """Put a run into the trash. Raises UserError `run_active` while it is at work, `run_is_base` while others
        continue from it."""
        row = self._row(run, who)
        if row.state in states.ACTIVE:
            raise UserError("run_active", name=row.name, state=row.state)
        if further := self.store.runs_of_model(earlier.id_of(row.id)):
            raise UserError("run_is_base", name=row.name, runs=further[:5], count=len(further))
        self.store.change_run(row.id, trashed=time.time())

    def restore(self, run: str, who: str | None = None) -> None:
        """Take a run back out of the trash."""
        self.store.change_run(self._row(run, who).id, trashed=None)

    def purge(self, older_than: float = TRASH_DAYS * states.DAY) -> int:
        """Remove for good what has been in the trash longer than `older_than` seconds; returns how many runs."""
        return purge(self.store, older_than)

    # ---- looking ----

    def list(self, trashed: bool = False, limit: int = 500, who: str | None = None) -> list[RunView]:
        """Runs, newest first; those in the trash instead with `trashed`."""
        rows = self.store.list_runs(trashed, limit)
        return self._views([row for row in rows if rights.may_see(who, row.owner)])

    def busy(self) -> tuple[int, int]:
        """How many runs are at work, and how many wait; cheap enough to be asked all the time."""
        counts = self.store.count_jobs(states.ACTIVE)
        waiting = counts.pop(states.QUEUED, 0)
        return sum(counts.values()), waiting

    def get(self, run: str, who: str | None = None) -> RunView:
        """One run. Raises UserError (`run_unknown`)."""
        return self._views([self._row(run, who)])[0]

    def spec(self, run: str, who: str | None = None) -> Spec:
        """What the run was asked to do, as it was frozen."""
        return Spec.loads((self.folder(run, who) / "spec.json").read_text(encoding="utf-8"))

    def folder(self, run: str, who: str | None = None) -> Path:
        """The run's folder. Raises UserError (`run_unknown`)."""
        row = self._row(run, who)
        return self.workspace.run(row.owner, row.id)

    def events(
        self, run: str, cursor: str = "", who: str | None = None
    ) -> tuple[builtins.list[journal.Record], str, bool]:
        """Events after `cursor`; see `journal.read`."""
        return journal.read(self.folder(run, who), cursor)

    def report(self, run: str, who: str | None = None) -> dict[str, Any] | None:
        """The run's report, or None while it has none."""
        return read_json(self.folder(run, who) / "report.json")

    def log(self, run: str, limit: int = 20_000, who: str | None = None) -> str:
        """The end of the run's log, at most `limit` characters."""
        return read_log(self.folder(run, who), limit)

    def _row(self, run: str, who: str | None) -> Row[Any]:
        """Every look-up of one run passes here. What `who` may not see is unknown to them."""
        row = self.store.run(checked_id(run))
        if row is None or not rights.may_see(who, row.owner):
            raise UserError("run_unknown", run=run)
        return row

    def _views(self, rows: builtins.list[Row[Any]]) -> builtins.list[RunView]:
        now = time.time()
        seconds = self.store.seconds([row.id for row in rows])
        waiting = {}
        if any(row.state == states.QUEUED for row in rows):
            active = self.store.jobs_in(states.ACTIVE)
            queued = [job for job in active if job.state == states.QUEUED]
            waiting = places(queued, [job for job in active if job.state != states.QUEUED], now)
        return [view(row, seconds.get(row.id, 0.0), waiting.get(row.id), now) for row in rows]

    def _wake(self) -> None:
        if self.supervisor is not None:
            self.supervisor.wake()
