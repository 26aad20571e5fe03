"""A wall clock that jumps, as after a sleep, by hand or by the network's time: no deadline hears of it."""

import os
import signal
import time

import pytest
from stub_bench import wait_for

from studio.runs.launchers import local
from studio.web.live import seconds_left

HOUR = 3600.0


@pytest.fixture
def clock(monkeypatch):
    """Puts the wall clock of this process, in which the leader is, forward or back."""
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])
    return lambda seconds: shift.__setitem__(0, seconds)


@pytest.mark.parametrize("jumps", [(HOUR, -HOUR), (-HOUR, 30 * HOUR)])
def test_a_run_goes_on_through_every_jump(bench, clock, jumps):
    """The leader's clock and the worker's own jump apart; deadlines of seconds are far shorter than the jumps."""
    bench.lead(admitted=20.0, starting=20.0, running=20.0, stalled=5.0, stopping=20.0)
    run = bench.submit(steps=90, pause=0.02, clock={"20": jumps[1], "40": jumps[0], "60": 0})
    bench.until(run, "running")
    seen = set()
    for number, seconds in enumerate((*jumps, 0.0), 1):
        clock(seconds)
        wait_for(lambda number=number: bench.steps(run)[-1:] >= [22 * number])
        view = bench.desk.get(run)
        seen.add(view.state)
        assert view.seconds >= 0
        assert (seconds_left(bench.desk.events(run)[0]) or 0) < 600
        assert local.Local(bench.workspace, "stub_keeper").keeper() is not None
    clock(-HOUR)
    bench.until(run, "done")
    assert seen <= {"running", "done"}
    assert bench.told(run) == []
    assert bench.steps(run) == list(range(1, 91))
    view = bench.desk.get(run)
    assert (view.attempt, view.error) == (1, "")
    assert 0 <= view.seconds
    times = [event["time"] for event in bench.desk.events(run)[0] if event["event"] == "step"]
    assert times != sorted(times), "the worker's clock was never put back"


def test_a_hang_is_told_and_ended_though_the_clock_goes_back(bench, clock):
    """A deadline on the wall clock would wait for hours."""
    bench.lead(running=0.5, stalled=0.5)
    run = bench.submit(steps=3000, pause=0.001, clock={"20": -HOUR})
    bench.until(run, "running")
    clock(-2 * HOUR)
    os.kill(bench.worker(run)["pid"], signal.SIGSTOP)
    bench.until(run, "stalled", "failed", seconds=5)
    bench.until(run, "failed", seconds=10)
    assert bench.desk.get(run).error == "stalled_ended"
    assert bench.desk.get(run).seconds >= 0


def test_a_worker_that_never_speaks_is_ended_though_the_clock_goes_back(bench, clock, monkeypatch):
    monkeypatch.setenv("STUB_LATE", "60")
    bench.lead(starting=1.0)
    run = bench.submit()
    bench.until(run, "starting")
    clock(-HOUR)
    bench.until(run, "failed", seconds=10)
    assert bench.desk.get(run).error == "worker_silent"


def test_the_queue_stays_in_the_order_of_asking(bench, clock):
    runs = []
    for seconds in (0.0, -HOUR, HOUR, -2 * HOUR):
        clock(seconds)
        runs.append(bench.submit(steps=1, pause=0.001))
    assert [bench.desk.get(run).position for run in runs] == [1, 2, 3, 4]
