"""A training process killed again and again, also while it saves, ends with the very weights of an unbroken one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_training import reviews, save_encoder, save_rows

ATTEMPT = """
import sys
from pathlib import Path
from tiny_training import machine
from studio.events import Step
from studio.spec import Spec
from studio.training.run import Inputs, train_run

run, data, model = map(Path, sys.argv[1:4])
options = {"training": {"epochs": 6, "evaluations": 2, "batch_size": 8, "checkpoint_every": 1}}
spec = Spec("d-1", {"text": "text", "label": "label"}, "classification", "local:tiny", "lora", options=options)

def emit(event):
    if isinstance(event, Step):
        print(event.step, flush=True)

train_run(run, spec, Inputs(data, model, machine()), emit, lambda: None)
"""


def start(run: Path, data: Path, model: Path) -> subprocess.Popen[str]:
    run.mkdir(exist_ok=True)
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", ATTEMPT, str(run), str(data), str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            "PYTHONPATH": f"{here}:{here.parents[1]}",
            "PATH": "/usr/bin:/bin",
            "HOME": str(run),
            "OMP_NUM_THREADS": "1",
        },
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_five_times_it_ends_with_the_same_bits(tmp_path):
    model = save_encoder(tmp_path / "tiny-model")
    data = save_rows(tmp_path / "data", reviews(80))
    whole = start(tmp_path / "whole", data, model)
    assert whole.stdout.read().split() == [str(step) for step in range(1, 43)]
    assert whole.wait() == 0
    reached = 0
    for number in range(5):
        attempt = start(tmp_path / "run", data, model)
        first = int(attempt.stdout.readline())
        assert reached <= first <= reached + 1 if reached else first == 1
        for _ in range(4):
            reached = int(attempt.stdout.readline())
        time.sleep(0.004 * number)  # at other moments of the next step and its save
        attempt.send_signal(signal.SIGKILL)
        attempt.wait()
        rest = attempt.stdout.read().split()
        reached = int(rest[-1]) if rest else reached
    last = start(tmp_path / "run", data, model)
    assert int(last.stdout.readline()) in (reached, reached + 1)
    last.stdout.read()
    assert last.wait() == 0
    one, other = (load_file(tmp_path / name / "model" / "adapter_model.safetensors") for name in ("whole", "run"))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
