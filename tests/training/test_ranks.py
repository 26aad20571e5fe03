"""Two processes train like one: the same losses, one voice, one stop, and the same bits after a resume."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_training import machine, reviews, save_encoder, save_rows

from studio.events import Checkpoint, Eval, Step
from studio.runs.keeper import environment
from studio.spec import Spec
from studio.training.ranks import VARIABLES, Ranks, from_environment
from studio.training.run import Inputs, train_run

METHODS = ("full", "lora")
TRAINING = {"epochs": 2, "evaluations": 2, "batch_size": 8, "learning_rate": 1e-3, "checkpoint_every": 100}


def spec(method: str, dropout: float, **training) -> Spec:
    options = {"training": {**TRAINING, **training}, "task": {"dropout": dropout}}
    if method == "lora":
        options["method"] = {"dropout": dropout}
    return Spec("d-1", {"text": "text", "label": "label"}, "classification", "local:tiny", method, options=options)


def train(folder: Path, what: Spec, data: Path, model: Path, wish=lambda told: None) -> list:
    folder.mkdir(exist_ok=True)
    told: list = []
    train_run(folder, what, Inputs(data, model, machine()), told.append, lambda: wish(told))
    return told


def weights(folder: Path) -> dict:
    return {name: part for file in (folder / "model").glob("*.safetensors") for name, part in load_file(file).items()}


def losses(told: list) -> list[float]:
    return [event.loss for event in told if isinstance(event, Step)]


def work(place: Path) -> None:
    """What each of the two processes does; the first one writes down what was told."""
    import torch

    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    data, polls, found = place / "data", [0], {}

    def stop(told: list) -> str | None:
        """Only the second process is asked, after its fifth step."""
        polls[0] += 1
        return "stop" if rank == 1 and polls[0] > 5 else None

    for method in METHODS:
        told = train(place / f"{method}-two", spec(method, 0.0), data, place / "plain")
        found[method] = [losses(told), len([event for event in told if isinstance(event, Eval)])]
        assert rank == 0 or not told, "one voice"
        train(place / f"{method}-whole", spec(method, 0.1), data, place / "tiny")
        polls[0] = 0
        train(place / f"{method}-parts", spec(method, 0.1), data, place / "tiny", stop)
        told = train(place / f"{method}-parts", spec(method, 0.1), data, place / "tiny")
        found[f"{method} went on at"] = [event.step for event in told if isinstance(event, Step)][:1]
    if rank == 0:
        (place / "found.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def together(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(__file__)
    both = []
    for rank in (0, 1):
        said = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        known = {**os.environ, "PYTHONPATH": f"{here.parent}:{here.parents[2]}", "OMP_NUM_THREADS": "1"}
        code = f"from pathlib import Path; from test_ranks import work; work(Path({str(place)!r}))"
        both.append(
            subprocess.Popen(
                [sys.executable, "-c", code], env={**known, **{name: str(value) for name, value in said.items()}}
            )
        )
    try:
        assert [process.wait(240) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_process_parts_of_a_batch_and_two_processes_agree(tmp_path):
    """56 training rows in batches of 8: no batch is smaller than the others."""
    data = save_rows(tmp_path / "data", reviews(80))
    plain, _ = save_encoder(tmp_path / "plain", dropout=0.0), save_encoder(tmp_path / "tiny")
    together(tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    for method in METHODS:
        one = train(tmp_path / f"{method}-one", spec(method, 0.0), data, plain)
        parts = train(tmp_path / f"{method}-four", spec(method, 0.0, micro_batch=4), data, plain)
        two, scored = found[method]
        assert len(losses(one)) == 14
        assert losses(parts) == pytest.approx(losses(one), rel=0.01)
        assert two == pytest.approx(losses(one), rel=0.01)
        assert scored == 2
        # What both have saved is one model, and the report of two processes is that of one.
        reports = [json.loads((tmp_path / f"{method}-{name}" / "report.json").read_text()) for name in ("one", "two")]
        assert reports[0]["test"] == pytest.approx(reports[1]["test"])
        # Stopped because the second process was asked, and gone on with: the very bits, with dropout.
        assert found[f"{method} went on at"] == [6]
        whole, again = weights(tmp_path / f"{method}-whole"), weights(tmp_path / f"{method}-parts")
        assert whole.keys() == again.keys()
        assert all((whole[name] == again[name]).all() for name in whole)


def test_a_batch_is_shared_out_whole_and_evenly():
    import numpy as np

    lengths = np.array([9, 1, 8, 2, 7, 3, 6, 4])
    rows = np.array([6, 0, 3, 5, 1, 2])
    parts = [Ranks(rank, 2).part(rows, lengths) for rank in (0, 1)]
    assert sorted([*parts[0], *parts[1]]) == sorted(rows)
    assert [sorted(lengths[part]) for part in parts] == [[1, 3, 8], [2, 6, 9]]
    assert Ranks().part(rows, lengths) is rows
    assert len(Ranks(1, 2).part(rows[:1], lengths)) == 0


def test_the_environment_says_who_one_is(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert from_environment() == Ranks()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert from_environment() == Ranks(), "nobody says where to meet"
    for name, value in (("RANK", "1"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29500")):
        monkeypatch.setenv(name, value)
    assert from_environment() == Ranks(1, 2, 1)
    assert from_environment().device("cuda") == "cuda:1"
    assert (from_environment().device("cpu"), Ranks().device("cuda")) == ("cpu", "cuda")
    assert not set(VARIABLES) & set(environment()), "the keeper's workers train alone"


def test_alone_nothing_is_asked_of_anybody(tmp_path):
    alone = Ranks()
    assert (alone.summed(3.5), alone.most(2), alone.gathered("x"), alone.by_first(lambda: 7)) == (3.5, 2, ["x"], 7)
    data = save_rows(tmp_path / "data", reviews(80))
    told = train(tmp_path / "run", spec("head", 0.1, epochs=1), data, save_encoder(tmp_path / "tiny"))
    assert [event.step for event in told if isinstance(event, Checkpoint) if not event.best] == [7]
    import torch

    assert not torch.distributed.is_initialized()
