"""Hundreds of deaths: whatever is killed, wherever it is, the run ends as if nothing had happened."""

import json
import os
import random
import signal
import time

import pytest
from stub_bench import holder_of, wait_for

from studio.runs import journal, process, supervisor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def last_step(bench, run, attempt):
    found = journal.last_event(bench.desk.folder(run), attempt, ("step",))
    return found["step"] if found else 0


def set_steps(bench, run, steps):
    """Let a run end at another step than it was asked for."""
    file = bench.desk.folder(run) / "spec.json"
    spec = json.loads(file.read_text())
    spec["options"]["stub"]["steps"] = steps
    file.write_text(json.dumps(spec))


def test_three_hundred_kills(bench, monkeypatch):
    """Light workers killed at a random moment, also between the halves of a checkpoint."""
    monkeypatch.setattr(supervisor, "PULSE", 0.01)
    chance = random.Random(3)
    bench.lead()
    wish = {"pause": 0.002, "every": 3, "saving": 0.004}
    run = bench.submit(steps=1_000_000, **wish)
    reached = torn = 0
    for attempt in range(1, 301):
        worker = bench.worker(run, attempt)
        wait_for(lambda attempt=attempt, reached=reached: last_step(bench, run, attempt) > reached)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(worker["pid"], signal.SIGKILL)
        bench.until(run, "failed", seconds=10)
        torn += (bench.desk.folder(run) / "checkpoint.partial").exists()
        saved = bench.desk.folder(run) / "checkpoint.json"
        reached = json.loads(saved.read_text())["step"] if saved.exists() else 0
        if attempt == 300:
            set_steps(bench, run, last_step(bench, run, attempt) + 10)
        bench.desk.resume(run)
    bench.until(run, "done")
    assert bench.desk.get(run).attempt == 301
    assert torn >= 10, "no kill met a checkpoint half written"
    unbroken = bench.submit(steps=bench.steps(run)[-1], pause=0, every=1000)
    bench.until(unbroken, "done")
    weights = [(bench.desk.folder(name) / "weights").read_text() for name in (run, unbroken)]
    assert weights[0] == weights[1]


def test_fifty_restarts_of_the_leader(bench):
    """kill -9 of the process that leads, as the web server does: the run is adopted, each step is read exactly once."""
    chance = random.Random(5)
    bench.launcher.warm()
    run = bench.submit(steps=1_000_000, pause=0.05)
    read, cursor = [], ""
    worker = None
    for _ in range(50):
        leader = bench.leader()
        wait_for(lambda leader=leader: (holder_of(bench.desk.store) or {}).get("pid") == leader.pid)
        worker = worker or bench.worker(run)
        time.sleep(chance.uniform(0, 0.3))
        leader.kill()
        leader.wait()
        events, cursor, reset = bench.desk.events(run, cursor)
        assert not reset or not read
        read += [event["step"] for event in events if event["event"] == "step"]
        assert process.lives(worker)
    bench.lead()
    bench.until(run, "running")
    bench.desk.stop(run)
    bench.until(run, "stopped")
    events, cursor, reset = bench.desk.events(run, cursor)
    assert not reset
    read += [event["step"] for event in events if event["event"] == "step"]
    assert read == list(range(1, read[-1] + 1))
    assert len(read) > 100
    assert (bench.desk.get(run).attempt, bench.worker(run)) == (1, worker)
