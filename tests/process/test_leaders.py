"""Leaders come and go, are killed and interrupted; runs go on and are taken up again without gap or repetition."""

import os
import signal
import subprocess
import sys

from stub_bench import HERE, holder_of, wait_for

from studio.runs.leadership import Leadership


def test_killed_leader(bench):
    leader = bench.leader()
    run = bench.submit(steps=600, pause=0.01)
    # The steps are the worker's, the state is the leader's: on a busy machine it follows a little later.
    wait_for(lambda: len(bench.steps(run)) > 20 and bench.desk.get(run).state == "running")
    before = bench.worker(run)
    shown, cursor, _ = bench.desk.events(run)
    leader.kill()
    leader.wait()
    seen = len(bench.steps(run))
    wait_for(lambda: len(bench.steps(run)) > seen + 20)
    assert bench.desk.get(run).state == "running"
    bench.lead()
    wait_for(lambda: bench.desk.supervisor.leading, seconds=2)
    bench.until(run, "done")
    assert bench.worker(run) == before
    assert bench.desk.get(run).attempt == 1
    more, _, reset = bench.desk.events(run, cursor)
    assert not reset
    steps = [event["step"] for event in shown + more if event["event"] == "step"]
    assert steps == bench.steps(run) == list(range(1, 601))


def test_killed_leader_and_killed_worker(bench):
    """Both at once: the next leader finds the truth in the exit record, and the run goes on when asked."""
    leader = bench.leader()
    run = bench.submit(steps=60, pause=0.02)
    wait_for(lambda: len(bench.steps(run)) > 20 and bench.desk.get(run).state == "running")
    worker = bench.worker(run)["pid"]
    leader.kill()
    os.kill(worker, signal.SIGKILL)
    leader.wait()
    assert bench.desk.get(run).state == "running", "nobody was there to see it"
    bench.lead()
    bench.until(run, "failed", seconds=5)
    view = bench.desk.get(run)
    assert (view.error, view.error_values["signal"]) == ("ended_by_signal", 9)
    wait_for(lambda: bench.told(run) == ["error.ended_by_signal"])
    bench.desk.resume(run)
    bench.until(run, "done")
    assert bench.steps(run) == list(range(1, 61))


def test_a_leader_that_takes_over_says_so_once_and_one_that_goes_on_does_not(bench):
    leader = bench.leader()
    run = bench.submit(steps=100_000, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5 and bench.desk.get(run).state == "running")
    assert bench.told(run) == []
    leader.kill()
    leader.wait()
    first = bench.lead()
    wait_for(lambda: bench.told(run) == ["timeline.adopted"])
    seen = next(event for event in bench.desk.events(run)[0] if event["event"] == "watched")
    assert seen["step"] > 5
    # It loses sight of everything for a moment, as after a sleep of the machine.
    first._watches.clear()
    reached = bench.steps(run)[-1]
    wait_for(lambda: bench.steps(run)[-1] > reached + 60)
    assert bench.told(run) == ["timeline.adopted"]


def test_run_that_ended_without_a_leader(bench):
    leader = bench.leader()
    run = bench.submit(steps=60, pause=0.01)
    other = bench.submit(steps=60, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 20)
    leader.kill()
    leader.wait()
    wait_for(lambda: bench.steps(run)[-1:] == [60])
    assert bench.desk.get(other).state == "queued"
    bench.lead()
    bench.until(run, "done", seconds=5)
    bench.until(other, "done")


def test_interrupt_from_the_terminal(bench):
    """Ctrl-C reaches the whole foreground group of the leader, never a worker or the keeper."""
    leader = bench.leader()
    run = bench.submit(steps=200, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 20)
    assert os.getsid(bench.worker(run)["pid"]) != os.getsid(leader.pid) != os.getsid(bench.keeper()["pid"])
    os.killpg(leader.pid, signal.SIGINT)
    leader.wait(timeout=10)
    bench.lead()
    bench.until(run, "done")
    assert bench.steps(run) == list(range(1, 201))


def test_twenty_candidates_one_leader(bench):
    candidates = [Leadership(bench.desk.store) for _ in range(20)]
    leading = [candidate for candidate in candidates if candidate.lead()]
    assert len(leading) == 1
    assert leading[0].lead()
    leading[0].resign()
    assert holder_of(bench.desk.store) is None
    assert [candidate for candidate in candidates if candidate.lead()]


def test_two_processes_one_leader(bench):
    leaders = [bench.leader(), bench.leader()]
    runs = [bench.submit(steps=20, pause=0.01) for _ in range(3)]
    first = wait_for(lambda: holder_of(bench.desk.store))
    for run in runs:
        bench.until(run, "done")
    assert holder_of(bench.desk.store)["pid"] == first["pid"]
    next(leader for leader in leaders if leader.pid == first["pid"]).kill()
    wait_for(lambda: (holder_of(bench.desk.store) or first)["pid"] != first["pid"], seconds=3)
    last = bench.submit(steps=20, pause=0.01)
    bench.until(last, "done")
    for run in [*runs, last]:
        assert bench.steps(run) == list(range(1, 21))
        assert bench.desk.get(run).attempt == 1


def test_deposed_leader_changes_nothing(bench):
    """A leader that slept too long is fenced off by the generation of the next."""
    now = [0.0]
    old, new = Leadership(bench.desk.store, lambda: now[0]), Leadership(bench.desk.store, lambda: now[0])
    assert old.lead()
    assert not new.lead()
    run = bench.submit(steps=1)
    job = bench.desk.store.last_job(run)
    now[0] += 60
    assert new.lead()
    assert not bench.desk.store.admit(job, old.fence)
    assert not old.lead()
    assert bench.desk.store.admit(job, new.fence)


def test_killed_keeper_and_no_final_event(bench):
    bench.lead()
    run = bench.submit(steps=100000, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    keeper = bench.keeper()
    os.kill(keeper["pid"], signal.SIGKILL)
    seen = len(bench.steps(run))
    wait_for(lambda: len(bench.steps(run)) > seen + 20)
    wait_for(lambda: bench.told(run) == ["timeline.keeper_gone"])
    os.kill(bench.worker(run)["pid"], signal.SIGKILL)
    bench.until(run, "interrupted", seconds=5)
    assert bench.desk.get(run).error == "end_unknown"
    wait_for(lambda: bench.told(run) == ["timeline.keeper_gone", "error.end_unknown"])
    bench.desk.resume(run)
    wait_for(lambda: bench.steps(run)[-1:] > [seen + 40])
    assert bench.keeper()["pid"] != keeper["pid"]
    steps = bench.steps(run)
    assert steps == list(range(1, len(steps) + 1))


def test_killed_keeper_and_done(bench):
    bench.lead()
    run = bench.submit(steps=100, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    os.kill(bench.keeper()["pid"], signal.SIGKILL)
    bench.until(run, "done")
    assert bench.steps(run) == list(range(1, 101))


def test_stop_with_nobody_leading(bench):
    leader = bench.leader()
    run = bench.submit(steps=100000, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    leader.kill()
    leader.wait()
    bench.desk.stop(run)
    bench.lead()
    bench.until(run, "stopped", seconds=5)


def test_updated_studio_gets_a_new_keeper(bench, tmp_path):
    """A keeper of other code finishes its workers and makes room."""
    bench.lead()
    run = bench.submit(steps=200, pause=0.01)
    wait_for(lambda: len(bench.steps(run)) > 5)
    old = bench.keeper()["pid"]
    other = tmp_path / "other_keeper.py"
    other.write_text((HERE / "stub_keeper.py").read_text().replace("stub_keeper", "other_keeper"))
    os.environ["PYTHONPATH"] += os.pathsep + str(tmp_path)
    bench.launcher.module = "other_keeper"
    bench.launcher.warm()
    assert bench.keeper()["pid"] != old
    bench.until(run, "done")
    assert (bench.desk.folder(run) / "exit-1.json").exists()


def test_long_home_path(bench, tmp_path):
    home = tmp_path / ("long" * 30)
    command = [sys.executable, "-c", "import sys; from stub_bench import Bench; b = Bench(sys.argv[1]); "]
    command[-1] += "b.lead(); r = b.submit(steps=3); b.until(r, 'done'); print(b.keeper()['socket']); b.close()"
    done = subprocess.run([*command, str(home)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("/tmp/studio-")
