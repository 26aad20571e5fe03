"""The state machine: random lives of runs against a launcher in memory, with leaders that come, go and crash."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from run_specs import a_spec

from studio.errors import UserError
from studio.events import Done, Failed, Note, Phase, Step, Stopped
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.journal import Journal
from studio.runs.supervisor import Supervisor
from studio.training.memory import PLAN, RUNGS
from studio.workspace import Workspace


class Memory:
    """A launcher whose workers are entries of a dict; each writes a real event file."""

    def __init__(self):
        self.workers = {}
        self.keeper = True
        self.started = Counter()

    def warm(self):
        return

    def submit(self, kind, folder, attempt):
        record = folder / f"attempt-{attempt}.json"
        if record.exists():
            return json.loads(record.read_text())
        handle = {"pid": len(self.workers) + 2, "start": "1", "boot": "b"}
        self.workers[handle["pid"]] = {
            "folder": folder,
            "attempt": attempt,
            "alive": True,
            "journal": Journal(folder, attempt),
        }
        self.started[(folder.name, attempt)] += 1
        # Two rows at once: there are two rungs before nothing is smaller.
        (folder / PLAN).write_text('{"options": {"batch_size": 2}, "decisions": []}')
        record.write_text(json.dumps(handle))
        return handle

    def alive(self, handle):
        return self.workers[handle["pid"]]["alive"]

    def orphaned(self, handle):
        return not self.keeper

    def kill(self, handle):
        self.end(self.workers[handle["pid"]], 9)

    def end(self, worker, number=None, code=None):
        worker["alive"] = False
        worker["journal"].close()
        if self.keeper:
            record = {"signal": number, "code": code}
            (worker["folder"] / f"exit-{worker['attempt']}.json").write_text(json.dumps(record))

    def living(self):
        return [worker for worker in self.workers.values() if worker["alive"]]


class Lives(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        # Thousands of small commits: a folder in memory where the system has one.
        self.place = TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.now = 0.0
        self.launcher = Memory()
        self.desk = Desk(Workspace.open(Path(self.place.name) / "home"), self.launcher)
        self.leaders = [self.new_leader(), self.new_leader()]
        self.runs = []
        self.ended = {}

    def teardown(self):
        for worker in self.launcher.living():
            worker["journal"].close()
        self.desk.close()
        self.place.cleanup()

    def new_leader(self):
        return Supervisor(self.desk.store, self.launcher, {}, lambda: self.now)

    @rule(owner=st.sampled_from(["p-a", "p-b"]), key=st.sampled_from([None, "k1", "k2"]))
    def submit(self, owner, key):
        run = self.desk.submit(a_spec(owner), key)
        if run not in self.runs:
            self.runs.append(run)

    @rule(which=st.integers(0, 1), times=st.sampled_from([1, 4, 8]))
    def look(self, which, times):
        leader = self.leaders[which]
        for _ in range(times):
            assert leader.round()
            for watch in leader._watches.values():
                if watch.start:
                    watch.start.join()

    @rule(data=st.data())
    def whole_life(self, data):
        """What happens most: somebody leads, a worker begins, works and ends."""
        self.now += 20.0
        for leader in self.leaders:
            self.look(self.leaders.index(leader), 8)
        if self.launcher.living():
            self.say(data, "step")
            self.look(0, 2)
            self.look(1, 2)

    @rule(seconds=st.sampled_from([0.5, 3.0, 40.0, 200.0, 400.0, 8000.0]))
    def pass_time(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.launcher.living())
    @rule(data=st.data(), keep=st.sampled_from(["last", "best"]))
    def stop(self, data, keep):
        self.expect(("run_not_active",), self.desk.stop, data.draw(st.sampled_from(self.runs)), keep)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def resume(self, data):
        self.expect(("run_active", "run_done"), self.desk.resume, data.draw(st.sampled_from(self.runs)))

    def expect(self, codes, ask, *arguments):
        """Ask; the only refusals are those a person is told of."""
        refused = None
        try:
            ask(*arguments)
        except UserError as error:
            refused = error.code
        assert refused is None or refused in codes

    @precondition(lambda self: self.launcher.living())
    @rule(data=st.data(), event=st.sampled_from(["note", "step", "done", "stopped", "failed", "oom", "nan"]))
    def say(self, data, event):
        worker = data.draw(st.sampled_from(self.launcher.living()))
        events = {
            "note": Note("x"),
            "step": Step(1, 1.0, 1.0, 1.0, 1.0, 1.0, 1),
            "done": Done(1, "macro_f1", 0.5),
            "stopped": Stopped(1),
            "failed": Failed("worker_bug"),
            "oom": Failed("out_of_memory", {}, "out-of-memory"),
            "nan": Failed("non_finite", {}, "non-finite"),
        }
        if event == "oom":
            worker["journal"].emit(Phase("training"))
        worker["journal"].emit(events[event])
        if event not in ("note", "step"):
            self.launcher.end(worker, code=0)

    @precondition(lambda self: self.launcher.living())
    @rule(data=st.data(), number=st.sampled_from([9, 11, None]))
    def die(self, data, number):
        self.launcher.end(data.draw(st.sampled_from(self.launcher.living())), number, None if number else 1)

    @rule(there=st.booleans())
    def keeper(self, there):
        self.launcher.keeper = there

    @rule(which=st.integers(0, 1))
    def crash_a_leader(self, which):
        """It is simply gone: no resigning, a fresh one in its place."""
        self.leaders[which] = self.new_leader()

    @invariant()
    def one_worker_a_run_and_one_on_the_device(self):
        assert all(count == 1 for count in self.launcher.started.values())
        living = Counter(worker["folder"].name for worker in self.launcher.living())
        assert all(count == 1 for count in living.values())
        assert len(self.desk.store.jobs_in(states.ON_DEVICE)) <= 1

    @invariant()
    def terminal_stays_terminal(self):
        with self.desk.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT id, state, run, ended FROM jobs").all()
        now = {row.id: (row.state, row.ended) for row in rows}
        for job, before in self.ended.items():
            assert now[job] == before
        self.ended |= {job: seen for job, seen in now.items() if seen[0] in states.TERMINAL}
        assert {row.run for row in rows} == set(self.runs)
        active = Counter(row.run for row in rows if row.state in states.ACTIVE)
        assert all(count == 1 for count in active.values())
        for rungs in Path(self.place.name).glob(f"home/*/runs/*/{RUNGS}"):
            attempts = [rung["attempt"] for rung in json.loads(rungs.read_text())]
            assert len(attempts) <= 2
            assert attempts == sorted(set(attempts))
        assert all(ended is not None for state, ended in now.values() if state in states.TERMINAL)


def test_no_run_is_stuck_for_ever():
    """Whatever state a run is in, looking at it for long enough brings it to an end."""
    for start in sorted(states.ACTIVE):
        assert states.DEADLINES[start] > 0
        seen, edge = {start}, {start}
        while edge:
            edge = {after for state in edge for after in states.NEXT[state]} - seen
            seen |= edge
        assert seen & states.TERMINAL
    assert all(not states.NEXT[state] for state in states.TERMINAL)
    assert set(states.NEXT) == states.ACTIVE | states.TERMINAL


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)


class MoreLives(Lives):
    pass


TestManyLives = pytest.mark.slow(MoreLives.TestCase)
TestManyLives.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
