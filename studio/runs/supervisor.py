"""The supervisor: a background thread that takes queued jobs, follows their events and writes their final states.

Of all processes on a workspace one leads. It keeps nothing that cannot be read again from the database and the run
folders, so a new leader goes on where the last one fell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from studio.errors import UserError
from studio.runs import journal, ladder, states, witness
from studio.runs.ending import Ending, judge, unknown
from studio.runs.files import read_json
from studio.runs.launchers.base import Handle, Launcher
from studio.runs.leadership import Leadership
from studio.runs.store import Store
from studio.runs.tidying import tidy
from studio.runs.view import order
from studio.runs.witness import Watch

logger = logging.getLogger(__name__)

PULSE = 0.25
UNSEEN = 10.0
"""Seconds an exit record is waited for after a worker is gone."""
ALARM = 5.0
"""Seconds without a good round after which the supervisor is not healthy."""
WARM_EVERY = 300.0
TIDY_EVERY = 3600.0


class Supervisor:
    """One candidate for the lead with its thread. `deadlines` are seconds by state."""

    def __init__(
        self,
        store: Store,
        launcher: Launcher,
        deadlines: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.launcher = launcher
        self.deadlines = {**states.DEADLINES, **(deadlines or {})}
        self.clock = clock
        self.leadership = Leadership(store, clock)
        self.leading = False
        self._watches: dict[str, Watch] = {}
        self._followed: set[tuple[str, int]] = set()
        self._bell = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._good = clock()
        self._warmed = -WARM_EVERY
        self._tidied = -TIDY_EVERY
        self._tidying: threading.Thread | None = None

    # ---- the thread ----

    def start(self) -> None:
        """Begin in the background."""
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and leave the lead to somebody else; workers go on."""
        self._closing = True
        self._bell.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        if self._tidying is not None:
            self._tidying.join(timeout=30)
        self.leadership.resign()

    def wake(self) -> None:
        """Look at the queue now."""
        self._bell.set()

    def healthy(self) -> bool:
        """Whether the last good round is recent."""
        return self._thread is not None and self._thread.is_alive() and self.clock() - self._good < ALARM

    def _run(self) -> None:
        while not self._closing:
            if self.round():
                self._good = self.clock()
            self._bell.wait(PULSE if self._watches else PULSE * 2)
            self._bell.clear()

    def round(self) -> bool:
        """One look at everything; False when a part of it raised. One part's fault does not stop the others."""
        stages = (self._lead, self._follow_all, self._admit, self._keep_warm, self._keep_tidy)
        return all([self._guarded(stage) for stage in stages])

    def _guarded(self, stage: Callable[[], None]) -> bool:
        try:
            stage()
        except Exception:
            logger.exception("supervisor, %s", getattr(stage, "__name__", stage))
            return False
        return True

    # ---- the stages ----

    def _lead(self) -> None:
        self.leading = False
        self.leading = self.leadership.lead()
        if not self.leading:
            self._watches.clear()

    def _follow_all(self) -> None:
        if not self.leading:
            return
        active = self.store.jobs_in(states.ACTIVE)
        for ended in set(self._watches) - {job.id for job in active}:
            del self._watches[ended]
        good = True
        for job in active:
            good &= self._guarded(lambda job=job: self._follow(job))  # type: ignore[misc]
        if not good:
            raise RuntimeError("a job could not be followed")

    def _admit(self) -> None:
        if not self.leading:
            return
        active = self.store.jobs_in(states.ACTIVE)
        working = [job for job in active if job.state != states.QUEUED]
        room = {lane: places - sum(job.lane == lane for job in working) for lane, places in states.LANES.items()}
        for job in order([job for job in active if job.state == states.QUEUED], working):
            if room[job.lane] <= 0:
                continue
            room[job.lane] -= 1
            if self.store.admit(job, self.leadership.fence):
                self._bell.set()

    def _keep_warm(self) -> None:
        """Have a keeper ready before the first run, and let it know that somebody is here."""
        if self.leading and self.clock() - self._warmed > WARM_EVERY:
            self._warmed = self.clock()
            threading.Thread(target=self._warm, name="warm", daemon=True).start()

    def _warm(self) -> None:
        try:
            self.launcher.warm()
        except OSError as error:
            logger.warning("no keeper: %s", error)

    def _keep_tidy(self) -> None:
        """Once an hour, and not in this thread: large folders take their time to go."""
        if self.leading and self.clock() - self._tidied >= TIDY_EVERY:
            self._tidied = self.clock()
            self._tidying = threading.Thread(target=self._tidy, name="tidy", daemon=True)
            self._tidying.start()

    def _tidy(self) -> None:
        try:
            tidy(self.store)
        except Exception:
            logger.exception("tidying")

    # ---- one job ----

    def _follow(self, job: Row[Any]) -> None:
        now = self.clock()
        folder = self.store.workspace.run(job.owner, job.run)
        watch = self._watches.get(job.id)
        if watch is None:
            watch = self._watches[job.id] = Watch(journal.Tail(folder, job.attempt))
            watch.adopted = job.state in states.AT_WORK and (job.run, job.attempt) not in self._followed
        if watch.tail.attempt != job.attempt:
            watch.tail = journal.Tail(folder, job.attempt)
        if watch.state != job.state:
            watch.state, watch.since, watch.last_event = job.state, now, now
        if job.state == states.QUEUED:
            if now - watch.since > self.deadlines[states.QUEUED]:
                days = round(self.deadlines[states.QUEUED] / states.DAY)
                self._end(job, Ending(states.INTERRUPTED, "queue_expired", {"days": days}))
            return
        handle = self._handle(job, folder)
        if job.state == states.ADMITTED or (job.state == states.STOPPING and not handle):
            self._launch(job, watch, folder, handle)
            return
        self._listen(job, watch, handle, folder)

    def _handle(self, job: Row[Any], folder: Path) -> Handle:
        """What process the attempt is: the worker's own record, else what was noted; empty when there is none yet."""
        return read_json(folder / f"attempt-{job.attempt}.json") or self.store.handle(job.run, job.attempt)

    def _launch(self, job: Row[Any], watch: Watch, folder: Path, handle: Handle) -> None:
        """Have an admitted job's worker started, without waiting for a keeper that is still importing."""
        if handle:
            self.store.set_handle(job.run, job.attempt, handle)
            if job.state == states.ADMITTED:
                self._move(job, states.STARTING, started=time.time())
            return
        if watch.start is None and job.state == states.STOPPING:
            self._end(job, Ending(states.STOPPED))
            return
        if watch.start is None:
            watch.start = threading.Thread(target=self._ask, args=(job, watch, folder), name="start", daemon=True)
            watch.start.start()
        elif watch.answer and isinstance(watch.answer[-1], UserError):
            error = watch.answer[-1]
            self._end(job, Ending(states.FAILED, error.code, error.values))
        elif self.clock() - watch.since > self.deadlines[states.ADMITTED]:
            log = str(self.store.workspace.home / "keeper.log")
            self._end(job, Ending(states.FAILED, "keeper_silent", {"reason": "-", "log": log}))

    def _ask(self, job: Row[Any], watch: Watch, folder: Path) -> None:
        try:
            watch.answer.append(self.launcher.submit(job.kind, folder, job.attempt))
        except UserError as error:
            watch.answer.append(error)
        except Exception as error:
            logger.exception("submit")
            log = str(self.store.workspace.home / "keeper.log")
            watch.answer.append(UserError("keeper_silent", reason=str(error), log=log))
        self._bell.set()

    def _listen(self, job: Row[Any], watch: Watch, handle: Handle, folder: Path) -> None:
        """Take in news of a started worker, and act when it is silent, late or gone."""
        now = self.clock()
        # Asked before reading: whatever a worker wrote before it died is then read below.
        alive = bool(handle) and self.launcher.alive(handle)
        if watch.hear():
            watch.last_event, watch.heard = now, True
        if not alive:
            self._bury(job, watch, handle, folder)
            return
        self._followed.add((job.run, job.attempt))
        if watch.adopted:
            watch.adopted = False
            witness.tell(folder, job.attempt, "timeline.adopted", {})
        if watch.heard and "timeline.keeper_gone" not in watch.told and self.launcher.orphaned(handle):
            watch.told.add("timeline.keeper_gone")
            witness.tell(folder, job.attempt, "timeline.keeper_gone", {})
        silent = now - watch.last_event
        if job.state == states.STARTING and watch.heard:
            self._move(job, states.RUNNING)
        elif job.state == states.STALLED and silent == 0:
            if self._move(job, states.RUNNING):
                witness.tell(folder, job.attempt, "timeline.moving_again", {})
        elif job.state == states.RUNNING and silent > self.deadlines[states.RUNNING]:
            if self._move(job, states.STALLED):
                witness.tell(folder, job.attempt, "timeline.stalled", {"seconds": round(silent)})
        elif job.state in (states.STARTING, states.STALLED, states.STOPPING):
            if now - watch.since > self._deadline(job):
                watch.killed = self._late(job)
                self.launcher.kill(handle)

    def _deadline(self, job: Row[Any]) -> float:
        best = job.state == states.STOPPING and job.keep == "best"
        return max(states.BEST, self.deadlines[job.state]) if best else self.deadlines[job.state]

    def _late(self, job: Row[Any]) -> Ending:
        seconds = round(self._deadline(job))
        if job.state == states.STOPPING:
            return Ending(states.STOPPED, "stop_killed", {"seconds": seconds})
        if job.state == states.STALLED:
            return Ending(states.FAILED, "stalled_ended", {"minutes": round(seconds / 60)})
        return Ending(states.FAILED, "worker_silent", {"seconds": seconds})

    def _bury(self, job: Row[Any], watch: Watch, handle: Handle, folder: Path) -> None:
        """The worker is gone: write the truth, once it can be known."""
        now = self.clock()
        if watch.gone is None:
            watch.gone = now
        ending = judge(folder, job.attempt)
        if watch.killed is not None and (ending is None or ending.error == "ended_by_signal"):
            ending = watch.killed
        if ending is None:
            orphaned = not handle or self.launcher.orphaned(handle)
            if now - watch.gone < (1.0 if orphaned else UNSEEN):
                return
            ending = unknown(job.attempt)
        self._end(job, ending)

    def _end(self, job: Row[Any], ending: Ending) -> None:
        folder = self.store.workspace.run(job.owner, job.run)
        rung = None
        if ending.state == states.OUT_OF_MEMORY and job.state != states.STOPPING:
            rung = ladder.next_rung(folder, job.attempt)
            ending = ending if rung else ladder.exhausted(folder, job.attempt, ending)
        move = self.store.move_and_queue if rung else self.store.move
        if move(job, ending.state, fence=self.leadership.fence, **ending.columns()):
            witness.tell_end(folder, job.attempt, ending, rung)
            self._watches.pop(job.id, None)
            self._bell.set()

    def _move(self, job: Row[Any], after: str, **values: Any) -> bool:
        return self.store.move(job, after, fence=self.leadership.fence, **values)
