"""The whole spine with the real keeper and real training of a tiny model: killed, resumed, stopped, asked."""

import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from stub_bench import Bench, wait_for

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.inference.client import InferenceClient
from studio.runs import process, speeds, states
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.runs.files import read_json
from studio.runs.launchers.local import Local

sys.path.append(str(Path(__file__).parents[1] / "training"))

pytestmark = pytest.mark.slow


class RealBench(Bench):
    """A bench whose keeper and workers are the product's own."""

    def __init__(self, home):
        super().__init__(home)
        self.desk.close()
        self.launcher = Local(self.workspace)
        self.desk = Desk(self.workspace, self.launcher)

    def train(self, file, model, **training):
        version = import_file(self.workspace, "local", file, file.name)
        made = draft(
            self.workspace,
            version,
            use=Use("classification", {"text": "text", "label": "label"}),
            model=f"local:{model}",
            method="full",
            options={"training": training},
        )
        assert not [problem for problem in made.problems if problem.severity == "error"]
        return self.desk.submit(made.spec, data_name=version.name, estimate=made.estimate.seconds)

    def weights(self, run):
        folder = self.desk.folder(run) / "model"
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    place = tmp_path_factory.mktemp("real")
    made = RealBench(place / "home")
    from tiny_training import machine

    known = machine(fingerprint=hardware.fingerprint())
    (made.workspace.home / "hardware.json").write_text(json.dumps(known.to_json()))
    made.lead()
    yield made
    served = read_json(made.workspace.home / "servers" / "inference" / "process.json")
    if served:
        process.end_family(served)
    made.close()


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    from tiny_training import reviews, save_encoder

    place = tmp_path_factory.mktemp("parts")
    with (place / "reviews.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(reviews(160))
    return place / "reviews.csv", save_encoder(place / "encoder")


LONG = {"epochs": 30, "batch_size": 4, "checkpoint_every": 20, "evaluations": 4, "max_length": 32, "patience": 0}


@pytest.fixture(scope="module")
def unbroken(bench, parts):
    """A run that nobody disturbed."""
    run = bench.train(*parts, **LONG)
    bench.until(run, "done", seconds=240)
    return run


def test_killed_twice_and_equal_in_every_bit(bench, parts, unbroken):
    broken = bench.train(*parts, **LONG)
    for attempt, least in ((1, 90), (2, 250)):
        wait_for(lambda least=least: bench.steps(broken)[-1:] > [least], seconds=240)
        os.kill(bench.worker(broken, attempt)["pid"], signal.SIGKILL)
        bench.until(broken, "failed", seconds=10)
        assert bench.desk.get(broken).error == "ended_by_signal"
        bench.desk.resume(broken)
    bench.until(broken, "done", seconds=240)
    assert bench.desk.get(broken).attempt == 3
    assert bench.steps(broken) == bench.steps(unbroken)
    assert bench.weights(broken) == bench.weights(unbroken)
    assert bench.desk.report(broken)["test"] == bench.desk.report(unbroken)["test"]


def test_a_machine_that_shuts_down_is_a_stop_and_the_run_goes_on_with_the_same_bits(bench, parts, unbroken):
    """SIGTERM in the middle of training: saved at that very step, stopped within the grace, nothing left over."""
    broken = bench.train(*parts, **LONG)
    wait_for(lambda: bench.steps(broken)[-1:] > [90], seconds=240)
    family = process.family(bench.worker(broken)["pid"])
    marks = {member: process.start_of(member) for member in family}
    asked = time.monotonic()
    os.kill(bench.worker(broken)["pid"], signal.SIGTERM)
    bench.until(broken, "stopped", seconds=states.DEADLINES[states.STOPPING])
    assert time.monotonic() - asked < states.DEADLINES[states.STOPPING]
    last = bench.steps(broken)[-1]
    view = bench.desk.get(broken)
    assert (view.error, view.resumable) == ("", True)
    assert (bench.desk.folder(broken) / "checkpoints" / f"step-{last:08d}" / "manifest.json").exists()
    assert not [member for member, mark in marks.items() if mark and process.start_of(member) == mark]
    bench.desk.resume(broken)
    bench.until(broken, "done", seconds=240)
    assert bench.steps(broken) == bench.steps(unbroken)
    assert bench.weights(broken) == bench.weights(unbroken)


def test_the_report_is_made_by_another_process_and_made_good_when_that_is_killed(bench, parts):
    run = bench.train(*parts, **{**LONG, "epochs": 3})
    folder, worker = bench.desk.folder(run), psutil.Process(bench.worker(run)["pid"])
    (reporter,) = wait_for(worker.children)
    reporter.suspend()
    wait_for(lambda: (folder / "trained.json").exists(), seconds=240)
    time.sleep(1)
    assert bench.desk.get(run).state == "running"
    assert not (folder / "report.json").exists()
    reporter.kill()
    bench.until(run, "failed", seconds=10)
    view = bench.desk.get(run)
    assert (view.error, view.error_values["name"]) == ("ended_by_signal", "SIGKILL")
    bench.desk.resume(run)
    bench.until(run, "done", seconds=60)
    assert bench.desk.report(run)["model"] == "tuned"
    again = [event["event"] for event in bench.desk.events(run)[0] if event["attempt"] == 2]
    assert "step" not in again
    assert [event for event in again if event != "phase"] == ["note", "resumed", "note", "done"]


def test_a_stop_is_heard_while_the_report_is_made(bench, parts):
    run = bench.train(*parts, **{**LONG, "epochs": 3})
    folder, worker = bench.desk.folder(run), psutil.Process(bench.worker(run)["pid"])
    (reporter,) = wait_for(worker.children)
    reporter.suspend()
    wait_for(lambda: (folder / "trained.json").exists(), seconds=240)
    bench.desk.stop(run)
    bench.until(run, "stopped", seconds=10)
    assert bench.desk.get(run).error == ""
    assert not reporter.is_running()
    bench.desk.resume(run)
    bench.until(run, "done", seconds=60)


def test_stop_keeps_the_best_with_a_report(bench, parts):
    run = bench.train(*parts, **LONG)
    wait_for(lambda: [event for event in bench.desk.events(run)[0] if event["event"] == "eval"], seconds=240)
    bench.desk.stop(run, keep="best")
    bench.until(run, "stopped", seconds=120)
    view = bench.desk.get(run)
    assert (view.metric, view.error) == ("macro_f1", "")
    assert view.score == bench.desk.report(run)["test"]["macro_f1"]
    assert bench.weights(run)


def test_answers_come_from_the_inference_process(bench, parts):
    run = bench.train(*parts, **{**LONG, "epochs": 2})
    bench.until(run, "done", seconds=240)
    client = InferenceClient(bench.workspace, start=bench.desk.start_inference)
    answers = client.predict(bench.desk.folder(run), ["the soup was awful", "a lovely room"])
    assert {answer["label"] for answer in answers.predictions} <= {"positive", "negative"}
    served = read_json(bench.workspace.home / "servers" / "inference" / "process.json")
    assert process.lives(served)


def test_versions_and_folders(bench, parts):
    run = bench.train(*parts, **{**LONG, "epochs": 1})
    bench.until(run, "done", seconds=240)
    folder = bench.desk.folder(run)
    assert read_json(folder / "versions.json")["torch"]
    assert not (folder / "versions-1.json").exists()
    assert read_json(folder / "exit-1.json")["code"] == 0
    assert (folder / "split.json").exists()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_missing_model_is_said(bench, parts, tmp_path):
    from tiny_training import save_encoder

    model = save_encoder(tmp_path / "encoder")
    first, run = bench.train(*parts, **LONG), bench.train(parts[0], model, **LONG)
    model.rename(tmp_path / "elsewhere")
    bench.desk.stop(first)
    bench.until(run, "failed", seconds=120)
    assert bench.desk.get(run).error == "model_no_folder"


def test_what_was_measured_once_serves_every_later_plan(bench, parts, monkeypatch):
    monkeypatch.setattr(speeds, "_BUSY", 101.0)  # the machine of a test run is never idle
    file, model = parts
    version = import_file(bench.workspace, "local", file, file.name)
    use = Use("classification", {"text": "text", "label": "label"})

    def planned():
        return draft(bench.workspace, version, use=use, model=f"local:{model}", method="lora")

    before = planned()
    assert speeds.measure(bench.desk, version, before.spec)
    assert not speeds.measure(bench.desk, version, before.spec), "it is known by now"
    after = planned()
    assert after.estimate.seconds != before.estimate.seconds
    run = bench.desk.submit(after.spec, data_name="x")
    assert not speeds.measure(bench.desk, version, planned().spec)
    bench.until(run, "done", seconds=240)
