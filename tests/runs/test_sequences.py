"""Ten thousand random sequences of events against a plain model of the state machine, at the level of the database.

What people, leaders and deposed leaders ask for comes with the state they saw last, often an old one. `test_states`
has fewer, longer lives with the supervisor itself in between.
"""

from __future__ import annotations

import os
import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest

from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.leadership import Leadership
from studio.workspace import Workspace, new_id

SEQUENCES = 10_000
SEEN = ("id", "run", "owner", "state", "attempt", "estimate", "created")
STATES = sorted(states.ACTIVE | states.TERMINAL)


@dataclass
class Model:
    """What should be there: the state of each job of the run in order, and its attempts."""

    jobs: list[str] = field(default_factory=lambda: [states.QUEUED])
    ids: list[str] = field(default_factory=list)
    attempt: int = 0
    attempts: int = 0


class World:
    """One database for many sequences; each is about a run of its own."""

    def __init__(self, place: Path) -> None:
        self.desk = Desk(Workspace.open(place / "home"))
        self.store = self.desk.store
        # Looking thousands of times is left to plain SQL, so that the time goes into what is tested.
        self.eyes = sqlite3.connect(self.desk.workspace.database, isolation_level=None)
        self.now = 0.0
        self.leaders: list[Leadership] = []
        self.depose()

    def depose(self) -> None:
        """Another leader, after the last has been silent for too long. It sees the beat once, and again later."""
        made = Leadership(self.store, lambda: self.now)
        made.lead()
        self.now += 60
        assert made.lead()
        self.leaders.append(made)

    def submit(self) -> str:
        """A run as the desk adds it, without a folder."""
        run = {name: "x" for name in ("name", "task", "model", "method", "data", "data_name", "preset", "owner")}
        return self.store.add_run({**run, "id": new_id("r"), "key": None, "created": 0.0}, None)

    def last(self, run: str) -> SimpleNamespace:
        """The run's last job."""
        found = self.eyes.execute(
            f"SELECT {', '.join(SEEN)} FROM jobs WHERE id = (SELECT job FROM runs WHERE id = ?)", [run]
        )
        return SimpleNamespace(**dict(zip(SEEN, found.fetchone(), strict=True)))

    def fence(self, true: bool) -> tuple[str, int]:
        return self.leaders[-1 if true else -2].fence


def allowed(model: Model, seen: Any, true: bool) -> bool:
    """Whether a compare-and-set with the row `seen` has to succeed."""
    return true and seen.id == model.ids[-1] and (seen.state, seen.attempt) == (model.jobs[-1], model.attempt)


def play(world: World, chance: random.Random) -> set[str]:
    """One sequence; returns the states it came through."""
    run = world.submit()
    model = Model(ids=[world.last(run).id])
    seen = [world.last(run)]
    for _ in range(chance.randint(3, 9)):
        act(world, chance, run, model, seen)
        job = world.last(run)
        assert (job.id, job.state, job.attempt) == (model.ids[-1], model.jobs[-1], model.attempt)
        seen.append(job)
    rows = world.eyes.execute("SELECT state, ended FROM jobs WHERE run = ? ORDER BY rowid", [run]).fetchall()
    numbers = world.eyes.execute("SELECT count(*) FROM attempts WHERE run = ?", [run]).fetchone()
    assert [state for state, _ in rows] == model.jobs
    assert all((ended is not None) == (state in states.TERMINAL) for state, ended in rows)
    assert numbers == (model.attempts,)
    close(world, run)
    return set(model.jobs) | {row.state for row in seen}


def act(world: World, chance: random.Random, run: str, model: Model, seen: list[Any]) -> None:
    """One event. Half of them know the latest state, the others one from before."""
    job = seen[-1] if chance.random() < 0.6 else chance.choice(seen)
    true = len(world.leaders) < 2 or chance.random() < 0.85
    kind = chance.choices(("move", "admit", "queue again", "resume", "depose"), (50, 25, 12, 12, 1))[0]
    if kind == "depose":
        world.depose()
    elif kind == "admit":
        expected = true and job.id == model.ids[-1] and model.jobs[-1] == states.QUEUED
        assert world.store.admit(job, world.fence(true)) == expected
        if expected:
            model.attempts += 1
            model.attempt, model.jobs[-1] = model.attempts, states.ADMITTED
    elif kind == "resume":
        expected = model.jobs[-1] in states.TERMINAL
        assert world.store.add_job(world.store.run(run)) == expected
        if expected:
            append(world, run, model)
    else:
        after = chance.choice(sorted(states.NEXT[job.state]) or STATES)
        move = world.store.move if kind == "move" else world.store.move_and_queue
        if not states.allowed(job.state, after):
            with pytest.raises(ValueError, match="->"):
                move(job, after, fence=world.fence(true))
            return
        if kind == "queue again" and after not in states.TERMINAL:
            return
        expected = allowed(model, job, true)
        assert move(job, after, fence=world.fence(true)) == expected
        if expected:
            model.jobs[-1] = after
            if kind == "queue again":
                append(world, run, model)


def append(world: World, run: str, model: Model) -> None:
    """A further job was made; it begins in the queue without an attempt."""
    model.jobs.append(states.QUEUED)
    model.ids.append(world.last(run).id)
    model.attempt = 0


def close(world: World, run: str) -> None:
    """The next sequence shall not look through the jobs of all before."""
    job = world.last(run)
    if job.state == states.QUEUED:
        assert world.store.move(job, states.STOPPED)
    elif job.state in states.ACTIVE:
        assert world.store.move(job, states.FAILED)


def sequences(count: int) -> set[str]:
    reached: set[str] = set()
    with TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
        world = World(Path(place))
        for number in range(count):
            reached |= play(world, random.Random(number))
        assert len(world.leaders) > count / 50
        world.eyes.close()
        world.desk.close()
    return reached


def test_random_sequences():
    assert sequences(200) >= states.TERMINAL


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_random_sequences():
    assert sequences(SEQUENCES) == set(STATES)
