"""A torch-free body for real workers: counts steps, writes a checkpoint file, stops and resumes; told by the spec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from studio.errors import UserError
from studio.events import Checkpoint, Done, Resumed, Step, Stopped
from studio.runs.worker import attend


def main(folder: str, attempt: str) -> int:
    time.sleep(float(os.environ.get("STUB_LATE", 0)))
    return attend(Path(folder), int(attempt), body)


def body(folder, spec, emit, should_stop):
    wish = spec.options.get("stub", {})
    misbehave(wish)
    saved = folder / "checkpoint.json"
    step = json.loads(saved.read_text())["step"] if saved.exists() else 0
    if step:
        emit(Resumed(step))
    steps = int(os.environ.get("STUB_STEPS", wish.get("steps", 50)))
    while step < steps:
        step += 1
        time.sleep(wish.get("pause", 0.02))
        emit(Step(step, step / 10, 1 / step, 0.1, 1.0, 10.0, 1))
        if step % wish.get("every", 10) == 0:
            save(saved, step)
            emit(Checkpoint(step))
        if wish.get("fail_at", int(os.environ.get("STUB_FAIL", 0))) == step:
            fail(wish.get("how", "bug"))
        if not wish.get("deaf") and should_stop():
            save(saved, step)
            emit(Stopped(step))
            return
    report = {"main_metric": "macro_f1", "test": {"macro_f1": 0.5, "accuracy": 0.6}}
    (folder / "report.json").write_text(json.dumps(report))
    emit(Done(step, "macro_f1", 0.5))
    time.sleep(wish.get("linger", 0))


def misbehave(wish):
    if wish.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(wish.get("grandchildren", 0)):
        # Each starts another in a session of its own and dies, the hardest kind to find again.
        code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code], check=True)
        subprocess.Popen([sys.executable, "-c", SLEEP])
    if wish.get("print"):
        line = b"x" * 999 + b"\n"
        for _ in range(wish["print"] * 1000):
            os.write(1, line)


SLEEP = "import time; time.sleep(300)"


def save(path, step):
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"step": step}))
    partial.replace(path)


def fail(how):
    if how == "bug":
        raise ValueError("something odd")
    if how == "user":
        raise UserError("run_unknown", run="r-x")
    if how == "memory":
        raise MemoryError
    if how == "exit":
        os._exit(3)
    if how == "silent":
        os._exit(0)
    os.kill(os.getpid(), {"segv": signal.SIGSEGV, "abort": signal.SIGABRT, "kill": signal.SIGKILL}[how])
