"""However a worker ends, the run's state says the truth, and a resume goes on from the last checkpoint."""

import fcntl
import json
import os
import signal
import time

import pytest
from spoken import check_ended
from stub_bench import wait_for

from studio.runs import process
from studio.terminal import Terminal


def test_done(bench):
    bench.lead()
    run = bench.submit(steps=30, pause=0.001)
    bench.until(run, "done")
    seen = bench.desk.get(run)
    assert (seen.metric, seen.score, seen.attempt, seen.error) == ("macro_f1", 0.5, 1, "")
    assert bench.steps(run) == list(range(1, 31))
    assert seen.started <= seen.ended


def test_kill_and_resume(bench):
    bench.lead()
    run = bench.submit(steps=60, pause=0.02)
    wait_for(lambda: len(bench.steps(run)) >= 25)
    os.kill(bench.worker(run)["pid"], signal.SIGKILL)
    bench.until(run, "failed", seconds=5)
    seen = bench.desk.get(run)
    assert (seen.error, seen.error_values) == ("ended_by_signal", {"signal": 9, "name": "SIGKILL"})
    last = bench.steps(run)[-1]
    bench.desk.resume(run)
    bench.until(run, "done")
    assert bench.desk.get(run).attempt == 2
    # Where it was killed stays on the timeline, at the step it had come to.
    (seen,) = [event for event in bench.desk.events(run)[0] if event["event"] == "watched"]
    assert (seen["code"], seen["step"], seen["attempt"]) == ("error.ended_by_signal", last, 1)
    assert bench.steps(run) == list(range(1, 61))
    resumed = [event for event in bench.desk.events(run)[0] if event["event"] == "resumed"]
    assert resumed[0]["step"] in (20, 30)


@pytest.mark.parametrize(
    ("how", "state", "error"),
    [
        ("bug", "failed", "worker_bug"),
        ("user", "failed", "run_unknown"),
        ("memory", "out-of-memory", "out_of_memory"),
        ("exit", "failed", "ended_by_code"),
        ("silent", "failed", "ended_by_code"),
        ("segv", "failed", "ended_by_signal"),
        ("abort", "failed", "ended_by_signal"),
    ],
)
def test_ends(bench, how, state, error):
    bench.lead()
    run = bench.submit(steps=5, pause=0.001, fail_at=3, how=how)
    bench.until(run, state, seconds=10)
    seen = bench.desk.get(run)
    assert seen.error == error
    told = Terminal(language="en").why(seen)
    assert told.count(". ") >= 2, told  # what happened, why, what to do
    assert "{" not in told
    log, kept = bench.desk.log(run), bench.desk.folder(run) / "traceback-1.txt"
    assert "Traceback" not in log
    if how == "bug":
        assert "ValueError" in log
        assert kept.name in log
        assert kept.read_text().startswith("Traceback")
        assert "something odd" in kept.read_text()
    if how == "user":
        assert (log, kept.exists()) == ("", False)


def test_other_run_is_untouched(bench):
    bench.lead()
    first, second = bench.submit(steps=5, pause=0.01, fail_at=3, how="kill"), bench.submit(steps=20, pause=0.001)
    bench.until(first, "failed")
    bench.until(second, "done")
    assert bench.steps(second) == list(range(1, 21))


def test_stop_saves_and_resume_goes_on(bench):
    bench.lead()
    run = bench.submit(steps=1000, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    bench.desk.stop(run)
    bench.until(run, "stopped", seconds=5)
    at = bench.steps(run)[-1]
    spec = bench.desk.folder(run) / "spec.json"
    spec.write_text(spec.read_text().replace("1000", str(at + 5)))
    bench.desk.resume(run)
    bench.until(run, "done")
    assert bench.steps(run) == list(range(1, at + 6))


def test_stop_of_a_deaf_worker_leaves_no_survivor(bench):
    bench.lead(stopping=1.0)
    run = bench.submit(steps=100000, pause=0.01, deaf=True, grandchildren=3)
    bench.until(run, "running")
    pid = bench.worker(run)["pid"]
    wait_for(lambda: len(process.family(pid)) >= 7)
    family = process.family(pid)
    marks = {member: process.start_of(member) for member in family}
    bench.desk.stop(run)
    bench.until(run, "stopped", seconds=8)
    assert bench.desk.get(run).error == "stop_killed"
    assert not [member for member, mark in marks.items() if process.start_of(member) == mark]


def test_a_system_that_asks_to_end_is_a_stop_that_saves_first(bench):
    """SIGTERM, as a machine that shuts down sends it: saved within the grace, stopped and not failed, gone on later."""
    bench.lead()
    run = bench.submit(steps=1000, pause=0.01, every=1000)
    wait_for(lambda: len(bench.steps(run)) > 5)
    asked = time.monotonic()
    os.kill(bench.worker(run)["pid"], signal.SIGTERM)
    bench.until(run, "stopped", seconds=5)
    assert time.monotonic() - asked < 5
    view, at = bench.desk.get(run), bench.steps(run)[-1]
    assert (view.error, view.resumable) == ("", True)
    assert not process.lives(bench.worker(run))
    assert json.loads((bench.desk.folder(run) / "checkpoint.json").read_text())["step"] == at
    assert json.loads((bench.desk.folder(run) / "exit-1.json").read_text())["signal"] is None
    spec = bench.desk.folder(run) / "spec.json"
    spec.write_text(spec.read_text().replace('"steps": 1000', f'"steps": {at + 5}'))
    bench.desk.resume(run)
    bench.until(run, "done")
    assert bench.steps(run) == list(range(1, at + 6))


def test_keeper_and_worker_asked_to_end_together(bench):
    """The keeper waits for its workers, so that it can still say how they ended."""
    bench.lead()
    run = bench.submit(steps=1000, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    keeper = bench.keeper()
    os.kill(keeper["pid"], signal.SIGTERM)
    os.kill(bench.worker(run)["pid"], signal.SIGTERM)
    bench.until(run, "stopped", seconds=5)
    wait_for(lambda: (bench.desk.folder(run) / "exit-1.json").exists())
    wait_for(lambda: not process.lives(keeper))


def test_stop_with_the_best_is_given_time_until_asked_again(bench):
    bench.lead(stopping=0.5)
    run = bench.submit(steps=100000, pause=0.01, deaf=True)
    bench.until(run, "running")
    bench.desk.stop(run, keep="best")
    time.sleep(1.5)
    assert bench.desk.get(run).state == "stopping"
    bench.desk.stop(run)
    bench.until(run, "stopped", seconds=5)


def test_stalled_is_shown_and_recovers(bench):
    bench.lead(running=0.5)
    run = bench.submit(steps=200, pause=0.02)
    bench.until(run, "running")
    pid = bench.worker(run)["pid"]
    os.kill(pid, signal.SIGSTOP)
    bench.until(run, "stalled", seconds=5)
    os.kill(pid, signal.SIGCONT)
    bench.until(run, "running", "done", seconds=5)
    bench.until(run, "done")
    assert bench.told(run)[:2] == ["timeline.stalled", "timeline.moving_again"]


def test_stalled_can_be_stopped(bench):
    bench.lead(running=0.5, stopping=0.5)
    run = bench.submit(steps=2000, pause=0.02)
    bench.until(run, "running")
    os.kill(bench.worker(run)["pid"], signal.SIGSTOP)
    bench.until(run, "stalled", seconds=5)
    bench.desk.stop(run)
    bench.until(run, "stopped", seconds=5)


def test_stalled_for_too_long_is_ended(bench):
    bench.lead(running=0.3, stalled=0.5)
    run = bench.submit(steps=2000, pause=0.02)
    bench.until(run, "running")
    os.kill(bench.worker(run)["pid"], signal.SIGSTOP)
    bench.until(run, "failed", seconds=10)
    check_ended(bench.desk.get(run), "stalled_ended", minutes=0)
    wait_for(lambda: bench.told(run) == ["timeline.stalled", "error.stalled_ended"])


def test_a_worker_that_never_says_anything_is_ended(bench, monkeypatch):
    monkeypatch.setenv("STUB_LATE", "60")
    bench.lead(starting=1.0)
    run = bench.submit()
    bench.until(run, "failed")
    check_ended(bench.desk.get(run), "worker_silent", seconds=1)
    assert not process.lives(bench.worker(run))


def test_a_second_worker_of_a_run_gives_way(bench):
    run = bench.submit()
    with (bench.desk.folder(run) / "worker.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        bench.lead()
        bench.until(run, "failed")
    check_ended(bench.desk.get(run), "worker_twice")
    bench.desk.resume(run)
    bench.until(run, "done")


def test_waiting_for_too_long_leaves_the_queue(bench):
    bench.lead(queued=0.5)
    first, second = bench.submit(steps=2000), bench.submit()
    bench.until(second, "interrupted")
    check_ended(bench.desk.get(second), "queue_expired", days=0)
    assert bench.desk.get(first).active


def test_log_is_capped(bench):
    bench.lead()
    run = bench.submit(steps=1, print=40)
    bench.until(run, "done")
    sizes = [path.stat().st_size for path in bench.desk.folder(run).glob("log*")]
    assert 7_000_000 < sum(sizes) <= 10_000_000
    assert len(bench.desk.log(run, 5000)) == 5000
