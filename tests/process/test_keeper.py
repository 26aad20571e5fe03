"""The keeper itself: asked twice it starts once, it forks hundreds of times, keeps secrets out, and goes when idle."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from stub_bench import wait_for

from studio.errors import UserError
from studio.runs import process
from studio.runs.files import read_json
from studio.runs.keeper import Keeper
from studio.runs.launchers.local import Local
from studio.runs.leadership import Leadership
from studio.runs.log import pump, read_log


def a_folder(bench, name, **wish):
    run = bench.submit(name=name, **wish)
    return bench.desk.folder(run)


def test_asked_twice_starts_once(bench):
    folder = a_folder(bench, "x", steps=100)
    handles = []
    threads = [
        threading.Thread(target=lambda: handles.append(bench.launcher.submit("train", folder, 1))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handles) == 8
    assert len({handle["pid"] for handle in handles}) == 1
    assert bench.launcher.alive(handles[0])
    assert os.getsid(handles[0]["pid"]) == handles[0]["pid"]
    assert Path(f"/proc/{handles[0]['pid']}/oom_score_adj").read_text().strip() == "500"
    keeper = os.getpriority(os.PRIO_PROCESS, bench.keeper()["pid"])
    assert os.getpriority(os.PRIO_PROCESS, handles[0]["pid"]) == min(keeper + 5, 19), "the page comes first"
    bench.launcher.kill(handles[0])
    wait_for(lambda: read_json(folder / "exit-1.json"))
    assert read_json(folder / "exit-1.json")["signal"] == 9


def test_twenty_starts_one_keeper(bench):
    threads = [threading.Thread(target=Local(bench.workspace, "stub_keeper").warm) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = ["stub_keeper", str(bench.workspace.home)]
    wait_for(
        lambda: (
            len([one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-2:] == wanted]) == 1
        )
    )


def test_fresh_python_for_accelerators(bench):
    folder = a_folder(bench, "x", steps=30)
    question = {"do": "start", "kind": "train", "folder": str(folder), "attempt": 1, "exec": True}
    handle = bench.launcher.ask(question)
    wait_for(lambda: b"studio.runs.forking" in Path(f"/proc/{handle['pid']}/cmdline").read_bytes())
    wait_for(lambda: read_json(folder / "exit-1.json"))
    assert read_json(folder / "exit-1.json")["code"] == 0


def test_secrets_do_not_reach_workers(bench, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_CANARY")
    folder = a_folder(bench, "x", steps=100)
    handle = bench.launcher.submit("train", folder, 1)
    for pid in (handle["pid"], bench.keeper()["pid"]):
        assert b"hf_CANARY" not in Path(f"/proc/{pid}/environ").read_bytes()
    bench.launcher.kill(handle)


def test_unknown_work_is_an_answer(bench):
    folder = a_folder(bench, "x")
    with pytest.raises(UserError) as caught:
        bench.launcher.submit("mischief", folder, 1)
    assert caught.value.code == "keeper_silent"
    assert bench.launcher.ask({"do": "ping"})["children"] == []


def test_a_number_given_away_is_not_ours(bench):
    """The record names a pid that somebody else has now, or another boot: nobody is signalled."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        true = process.identify(stranger.pid)
        for false in ({**true, "start": "1"}, {**true, "boot": "another"}, {**true, "start": ""}):
            assert not process.lives(false)
            bench.launcher.kill(false)
        assert stranger.poll() is None
        bench.launcher.kill(true)
        assert stranger.wait(timeout=5) == -signal.SIGKILL


def test_run_of_another_boot_is_interrupted(bench):
    run = bench.submit(steps=10)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = {**process.identify(stranger.pid), "boot": "before", "keeper": {}}
        job = bench.desk.store.last_job(run)

        leader = Leadership(bench.desk.store)
        assert leader.lead()
        assert bench.desk.store.admit(job, leader.fence)
        leader.resign()

        (bench.desk.folder(run) / "attempt-1.json").write_text(json.dumps(record))
        bench.lead()
        bench.until(run, "interrupted", seconds=5)
        assert stranger.poll() is None
        stranger.kill()


def test_goes_when_idle(tmp_path):
    code = "import sys; from pathlib import Path; from studio.runs.keeper import Keeper; "
    code += "Keeper(Path(sys.argv[1]), 'm').run(preload=(), idle=0.5)"
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=30)
    assert time.monotonic() - began < 20
    assert not (tmp_path / "keeper.sock").exists()
    assert not (tmp_path / "keeper.json").exists()


def test_import_failure_does_not_stop_the_keeper(tmp_path):
    made = Keeper(tmp_path, "m")
    made._preload(("no_such_module_anywhere",))
    assert made.forkable == (len(os.listdir("/proc/self/task")) == 1)


def test_log_keeps_first_and_last(tmp_path):
    source, sink = os.pipe()
    drain = threading.Thread(target=pump, args=(source, tmp_path))
    drain.start()
    os.write(sink, b"first line\n")
    for _ in range(200):
        os.write(sink, b"x" * 99_999 + b"\n")
    os.write(sink, b"last line\n")
    os.close(sink)
    drain.join()
    os.close(source)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000_000
    assert (tmp_path / "log").read_bytes().startswith(b"first line\n")
    assert read_log(tmp_path).endswith("last line\n")


@pytest.mark.slow
def test_five_hundred_forks(bench):
    """No process, file descriptor or memory is left behind in the keeper."""
    folder = a_folder(bench, "x", steps=1, pause=0)
    bench.launcher.warm()
    keeper = bench.keeper()["pid"]
    bench.launcher.ask({"do": "ping"})

    def state():
        status = Path(f"/proc/{keeper}/status").read_text()
        return len(os.listdir(f"/proc/{keeper}/fd")), int(status.split("VmRSS:")[1].split()[0])

    before = state()
    for attempt in range(1, 501):
        bench.launcher.submit("train", folder, attempt)
        if attempt % 25 == 0:
            wait_for(lambda: not bench.launcher.ask({"do": "ping"})["children"])
    files, memory = state()
    assert files == before[0]
    assert memory < before[1] + 20_000
    codes = [read_json(folder / f"exit-{attempt}.json") for attempt in range(1, 501)]
    assert all(record is not None for record in codes)
    assert os.listdir(f"/proc/{keeper}/task") == [str(keeper)]


@pytest.mark.slow
def test_the_real_keeper_has_one_thread(tmp_path):
    from studio.workspace import Workspace

    launcher = Local(Workspace.open(tmp_path / "home"))
    answer = launcher.ask({"do": "ping"})
    try:
        assert answer["forkable"]
        assert os.listdir(f"/proc/{answer['pid']}/task") == [str(answer["pid"])]
        maps = Path(f"/proc/{answer['pid']}/maps").read_text()
        assert "torch" in maps
        assert "polars" not in maps
        assert "duckdb" not in maps
    finally:
        os.kill(answer["pid"], signal.SIGTERM)
        wait_for(lambda: not process.lives(answer))
