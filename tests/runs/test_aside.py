"""The process that waits beside a worker to report: its own, silent until asked, gone with the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import psutil
import pytest

from studio.errors import UserError
from studio.events import Note, Phase
from studio.runs.aside import Aside
from studio.training.job import Asked

ROOT = Path(__file__).parents[2]


def report(run_dir, spec, inputs, emit, should_stop):
    assert should_stop() is None
    emit(Phase("reporting", 1, 2))
    emit(Note("timeline.reloaded", {"rows": os.getpid(), "gap": str(run_dir)}))
    if inputs == "long":
        time.sleep(60)
    if inputs == "user":
        raise UserError("model_damaged", file="model.safetensors")
    if inputs == "memory":
        raise MemoryError
    if inputs == "odd":
        raise type("Odd", (Exception,), {})("an error of a class that nobody else knows")
    if inputs == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return "macro_f1", 0.5


def test_it_reports_from_another_process_and_is_gone_afterwards():
    told = []
    with Aside(report) as aside:
        assert aside(Path("run"), None, None, told.append, lambda: None) == ("macro_f1", 0.5)
    assert told[0] == Phase("reporting", 1, 2)
    assert told[1].values == {"rows": aside.pid, "gap": "run"}
    assert aside.pid != os.getpid()
    assert not psutil.pid_exists(aside.pid)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("user", UserError, "model.safetensors"),
        ("memory", MemoryError, None),
        ("odd", RuntimeError, "Odd: an error of a class"),
        ("killed", UserError, "SIGKILL"),
    ],
)
def test_what_goes_wrong_there_goes_wrong_here(how, error, said):
    with Aside(report) as aside, pytest.raises(error, match=said) as caught:
        aside(Path("run"), None, how, lambda event: None, lambda: None)
    if how in ("user", "killed"):
        assert caught.value.code == {"user": "model_damaged", "killed": "ended_by_signal"}[how]
    if how != "killed":
        assert "in report" in "".join(traceback.format_exception(caught.value))


def test_a_wish_to_stop_does_not_wait_for_the_report():
    told = []
    began = time.monotonic()
    with Aside(report) as aside, pytest.raises(Asked):
        aside(Path("run"), None, "long", told.append, lambda: "stop" if told else None)
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(aside.pid)


def test_to_keep_the_best_is_no_wish_to_go_without_a_report():
    with Aside(report) as aside:
        assert aside(Path("run"), None, None, lambda event: None, lambda: "best")[1] == 0.5


@pytest.mark.parametrize("asked", [False, True])
def test_it_dies_with_its_worker(asked):
    code = (
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\nfrom test_aside import Aside, report\n"
        "aside = Aside(report)\nprint(aside.pid, flush=True)\n"
        "say = lambda event: print('told', flush=True)\n"
        f"aside(Path('.'), None, 'long', say, lambda: None) if {asked} else input()\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with worker:
        other = psutil.Process(int(worker.stdout.readline()))
        if asked:
            assert worker.stdout.readline() == "told\n"
        other.send_signal(signal.SIGTERM)  # asks the group to stop: the worker's business
        assert other.is_running()
        worker.kill()
    other.wait(5)
    assert not other.is_running()
