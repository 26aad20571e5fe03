"""The command line as a program: one document, one sentence, true exit codes; its death and Ctrl-C end no run."""

import json
import os
import signal
import subprocess
import sys

import pytest
from stub_bench import HERE, holder_of, wait_for

from studio import hardware
from studio.hardware import Hardware

ROWS = "text,label\n" + "".join(
    f"this is message number {n} about {'cats' if n % 2 else 'dogs'},{n % 2}\n" for n in range(60)
)


@pytest.fixture
def place(bench, tmp_path):
    """A bench with a probed machine and a data file."""
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    known = {**record.to_json(), "fingerprint": hardware.fingerprint()}
    (bench.workspace.home / "hardware.json").write_text(json.dumps(known))
    bench.file = tmp_path / "animals.csv"
    bench.file.write_text(ROWS)
    return bench


def start(place, *words, **environment):
    command = [sys.executable, str(HERE / "stub_cli.py"), *words, "--home", str(place.workspace.home)]
    made = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "LANG": "C.UTF-8", **environment},
    )
    place.started.append(made)
    return made


def run(place, *words, **environment):
    made = start(place, *words, **environment)
    out, err = made.communicate(timeout=60)
    return made.returncode, out, err


def train(place, *words):
    return ("train", "--data", str(place.file), "--model", "starter:minilm", *words)


def the_run(place):
    return wait_for(lambda: [view.id for view in place.desk.list()])[0]


def test_train_ends_with_the_report(place):
    code, out, err = run(place, *train(place, "--json", "--set", "epochs=2", "--set", "name=Animals"))
    document = json.loads(out)
    assert code == 0
    assert document["test"]["macro_f1"] == 0.5
    assert (document["state"], document["name"], document["error"]) == ("done", "Animals", None)
    spec = place.desk.spec(document["run"])
    assert spec.options["training"]["epochs"] == 2
    assert spec.columns == {"text": "text", "label": "label"}
    assert document["run"] in err
    code, out, _ = run(place, "show", document["run"], "--json")
    shown = json.loads(out)
    assert (code, shown["test"], shown["last_step"]["step"]) == (0, document["test"], 50)
    code, out, _ = run(place, "runs", "--json")
    assert [row["id"] for row in json.loads(out)["runs"]] == [document["run"]]


def test_a_saved_spec_starts_the_same_run(place):
    code, out, _ = run(place, *train(place, "--json", "--set", "epochs=2"))
    first = json.loads(out)
    code, out, _ = run(place, "train", os.path.join(first["folder"], "spec.json"), "--json")
    second = json.loads(out)
    assert code == 0
    assert second["run"] != first["run"]
    assert place.desk.spec(second["run"]) == place.desk.spec(first["run"])


def test_failed_run_is_no_success(place):
    code, out, err = run(place, *train(place, "--json"), STUB_FAIL="3")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "worker_bug"
    assert "error inside the studio" in err.splitlines()[-1]


def test_settings_that_do_not_exist(place):
    code, _, err = run(place, *train(place, "--set", "epoch=2"))
    assert code == 1
    assert "'epoch'" in err
    assert place.desk.list() == []


def test_killed_command_line(place):
    """kill -9 of the leading command line: the run goes on and a later leader takes it up, same process."""
    program = start(place, *train(place), STUB_STEPS="300")
    run_id = the_run(place)
    wait_for(lambda: len(place.steps(run_id)) > 20)
    before = place.worker(run_id)
    program.kill()
    program.communicate()
    seen = len(place.steps(run_id))
    wait_for(lambda: len(place.steps(run_id)) > seen + 10)
    place.lead()
    place.until(run_id, "done")
    assert place.worker(run_id) == before
    assert place.desk.get(run_id).attempt == 1
    assert place.steps(run_id) == list(range(1, 301))


def test_control_c(place):
    program = start(place, *train(place), STUB_STEPS="200")
    run_id = the_run(place)
    wait_for(lambda: len(place.steps(run_id)) > 20)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=20)
    assert program.returncode == 130
    assert f"studio stop {run_id}" in err
    place.lead()
    place.until(run_id, "done")
    assert place.steps(run_id) == list(range(1, 201))


def test_stop_and_resume_with_nobody_else(place):
    program = start(place, *train(place), STUB_STEPS="100000")
    run_id = the_run(place)
    wait_for(lambda: len(place.steps(run_id)) > 20)
    program.kill()
    program.communicate()
    code, out, _ = run(place, "stop", run_id, "--json")
    assert (code, json.loads(out)["state"]) == (0, "stopped")
    at = place.steps(run_id)[-1]
    os.kill(place.keeper()["pid"], signal.SIGTERM)
    wait_for(lambda: place.launcher.keeper() is None)
    code, out, _ = run(place, "resume", run_id, "--json", STUB_STEPS=str(at + 10))
    assert (code, json.loads(out)["attempt"]) == (0, 2)
    assert place.steps(run_id) == list(range(1, at + 11))


def test_a_running_server_does_the_work(place):
    leader = place.leader()
    program = start(place, *train(place, "--json"))
    run_id = the_run(place)
    out, _ = program.communicate(timeout=60)
    assert json.loads(out)["state"] == "done"
    assert holder_of(place.desk.store)["pid"] == leader.pid
    assert place.desk.get(run_id).attempt == 1
