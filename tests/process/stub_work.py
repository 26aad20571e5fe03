"""A torch-free body for real workers: counts steps, writes a checkpoint file, stops and resumes; told by the spec.

Its "weights" are a hash of all steps, so that a step left out, done twice or done in another order is found.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from studio.errors import UserError
from studio.events import Checkpoint, Done, Phase, Resumed, Step, Stopped
from studio.runs.worker import attend
from studio.training.memory import PLAN, current
from studio.training.options import TrainingOptions


def main(folder: str, attempt: str) -> int:
    time.sleep(float(os.environ.get("STUB_LATE", 0)))
    return attend(Path(folder), int(attempt), body)


def body(folder, spec, emit, should_stop):
    wish = spec.options.get("stub", {})
    misbehave(wish)
    memory = Memory(folder, wish["memory"]) if "memory" in wish else None
    saved = folder / "checkpoint.json"
    kept = json.loads(saved.read_text()) if saved.exists() else {"step": 0, "weights": ""}
    step, weights = kept["step"], kept["weights"]
    if step:
        emit(Resumed(step))
    emit(Phase(wish.get("phase", "training")))
    steps = int(os.environ.get("STUB_STEPS", wish.get("steps", 50)))
    while step < steps:
        step += 1
        time.sleep(wish.get("pause", 0.02))
        if memory:
            memory.use(step)
        if str(step) in wish.get("clock", {}):
            put_clock(wish["clock"][str(step)])
        weights = hashlib.sha256(f"{weights} {step}".encode()).hexdigest()
        emit(Step(step, step / 10, 1 / step, 0.1, 1.0, 10.0, 1))
        if step % wish.get("every", 10) == 0:
            save(saved, step, weights, wish.get("saving", 0))
            emit(Checkpoint(step))
        if wish.get("fail_at", int(os.environ.get("STUB_FAIL", 0))) == step:
            fail(wish.get("how", "bug"))
        if not wish.get("deaf") and should_stop():
            save(saved, step, weights)
            emit(Stopped(step))
            return
    report = {"main_metric": "macro_f1", "test": {"macro_f1": 0.5, "accuracy": 0.6}}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "weights").write_text(weights)
    emit(Done(step, "macro_f1", 0.5))
    time.sleep(wish.get("linger", 0))


class Memory:
    """A run whose steps need memory by the rows computed at once, in a process that really has no more.

    `room` bytes may be used beyond what the process has, each row needs `row`, a quarter with gradient checkpointing.
    With `killed` the kernel is played instead: its counter rises and the process dies without a word.
    """

    def __init__(self, folder, wish):
        options = TrainingOptions(batch_size=8, micro_batch=8, **wish.get("training", {}))
        if not (folder / PLAN).exists():
            (folder / PLAN).write_text(json.dumps({"options": dataclasses.asdict(options), "decisions": []}))
        self.fit, self.wish = current(folder, options), wish
        self.needs = self.fit.micro_batch * wish["row"] // (4 if self.fit.gradient_checkpointing else 1)
        if "killed" not in wish:
            used = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
            bound = int(used.split()[1]) * 1024 + wish["room"]
            resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))

    def use(self, step):
        if step < self.wish.get("from", 1):
            return
        if "killed" not in self.wish:
            bytearray(self.needs)
        elif self.needs > self.wish["room"]:
            counter = Path(os.environ["STUB_OOM_KILLS"])
            counter.write_text(str(int(counter.read_text()) + 1))
            os.kill(os.getpid(), signal.SIGKILL)


def put_clock(seconds, real=time.time):
    """The wall clock as this process sees it, put forward or back by so much."""
    time.time = lambda: real() + seconds


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


def save(path, step, weights, seconds=0):
    """A checkpoint in two halves, with time between them in which to be killed."""
    text = json.dumps({"step": step, "weights": weights})
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(seconds)
        file.write(text[len(text) // 2 :])
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
