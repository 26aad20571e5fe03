"""The real keeper and real training: killed a dozen times, also while it saves; and in a process with little memory."""

import csv
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from stub_bench import HERE, Bench, wait_for

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.runs import journal
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.runs.launchers.local import Local

sys.path.append(str(Path(__file__).parents[1] / "training"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[1])]))


class Real(Bench):
    """A bench whose workers train; its keeper may be one that bounds their memory."""

    def __init__(self, home: Path, keeper: str = "studio.runs.keeper") -> None:
        from tiny_training import machine

        super().__init__(home)
        self.desk.close()
        self.launcher = Local(self.workspace, keeper)
        self.desk = Desk(self.workspace, self.launcher)
        known = machine(fingerprint=hardware.fingerprint()).to_json()
        (self.workspace.home / "hardware.json").write_text(json.dumps(known))
        self.lead()

    def train(self, rows: list[dict[str, str]], model: Path, **training: object) -> str:
        file = self.workspace.home.parent / "rows.csv"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
        made = draft(
            self.workspace,
            import_file(self.workspace, "local", file, file.name),
            use=Use("classification", {"text": "text", "label": "label"}),
            model=f"local:{model}",
            method="full",
            options={"training": training},
        )
        assert not [problem for problem in made.problems if problem.severity == "error"]
        return self.desk.submit(made.spec)

    def weights(self, run: str) -> bytes:
        return (self.desk.folder(run) / "model" / "model.safetensors").read_bytes()

    def reached(self, run: str, attempt: int) -> int:
        found = journal.last_event(self.desk.folder(run), attempt, ("step", "resumed"))
        return found["step"] if found else 0


def test_a_dozen_kills_and_the_same_bits(tmp_path):
    from tiny_training import reviews, save_encoder

    bench = Real(tmp_path / "home")
    try:
        rows, model = reviews(160), save_encoder(tmp_path / "encoder")
        options = {"epochs": 14, "batch_size": 4, "checkpoint_every": 8, "evaluations": 3, "max_length": 32}
        unbroken = bench.train(rows, model, **options)
        bench.until(unbroken, "done", seconds=300)
        broken = bench.train(rows, model, **options)
        chance, saving, reached = random.Random(7), 0, 0
        checkpoints = bench.desk.folder(broken) / "checkpoints"
        for attempt in range(1, 13):
            worker, goal = bench.worker(broken, attempt), reached + chance.randint(9, 20)
            wait_for(lambda attempt=attempt, goal=goal: bench.reached(broken, attempt) >= goal, 120)
            if attempt % 2:
                end = time.monotonic() + 5
                while not [*checkpoints.glob("tmp-*")] and time.monotonic() < end:
                    pass
            os.kill(worker["pid"], signal.SIGKILL)
            bench.until(broken, "failed")
            saving += bool([*checkpoints.glob("tmp-*")])
            reached = max(int(found.name[5:]) for found in checkpoints.glob("step-*"))
            bench.desk.resume(broken)
        bench.until(broken, "done", seconds=300)
        assert saving >= 2, "no kill met a checkpoint half written"
        assert bench.desk.get(broken).attempt == 13
        assert bench.steps(broken) == bench.steps(unbroken)
        assert bench.weights(broken) == bench.weights(unbroken)
        assert bench.desk.report(broken)["test"] == bench.desk.report(unbroken)["test"]
    finally:
        bench.close()


def test_training_that_does_not_fit_goes_down_the_ladder(tmp_path, monkeypatch):
    """A batch of 64 long rows through wide layers needs more than the process has, a part of it fits."""
    from tiny_training import reviews, save_encoder
    from transformers import AutoTokenizer, BertConfig, BertModel

    model = save_encoder(tmp_path / "encoder")
    config = BertConfig.from_pretrained(model)
    config.update({"intermediate_size": 16384, "max_position_embeddings": 512})
    BertModel(config).save_pretrained(model)
    AutoTokenizer.from_pretrained(model).save_pretrained(model)
    rows = [{**row, "text": " ".join([row["text"]] * 12)} for row in reviews(96)]
    monkeypatch.setenv("BOUNDED_MB", "700")
    bench = Real(tmp_path / "home", "bounded_keeper")
    try:
        run = bench.train(rows, model, epochs=1, batch_size=64, micro_batch=64, max_length=128, evaluations=1)
        bench.until(run, "done", "out-of-memory", "failed", "interrupted", seconds=240)
        assert bench.desk.get(run).state == "done", bench.desk.get(run)
        told = [event for event in bench.desk.events(run)[0] if event["event"] in ("watched", "failed")]
        assert [event["code"] for event in told] == ["out_of_memory", "timeline.memory_half"] * (len(told) // 2)
        assert [event["values"] for event in told[:2]] == [{}, {"before": 64, "rows": 32}]
        assert bench.steps(run) == [1, 2]
        assert bench.desk.report(run)["test"]
    finally:
        bench.close()
