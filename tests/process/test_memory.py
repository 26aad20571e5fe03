"""Workers that really run out of memory: down the ladder, one event a rung, until they fit or nothing is smaller."""

import json
import os

import pytest
from spoken import check_ended
from stub_bench import wait_for

from studio.runs import states
from studio.web.describe import failure
from studio.web.live import worded

MB = 1 << 20


def rungs(bench, run):
    """What was told from outside, in both languages."""
    told = [event for event in bench.desk.events(run)[0] if event["event"] == "watched"]
    for event in told:
        for language in ("en", "zh"):
            text = worded(event, language)["text"]
            assert "{" not in text
            assert str(event["values"].get("rows", "")) in text
    return [(event["code"], event["values"].get("rows"), event["step"], event["attempt"]) for event in told]


def kept(bench, run):
    return json.loads((bench.desk.folder(run) / "memory.json").read_text())


def test_half_the_rows_until_it_fits(bench):
    bench.lead()
    other = {"steps": 5, "pause": 0.001}
    run = bench.submit(steps=30, pause=0.005, memory={"room": 300 * MB, "row": 128 * MB, "from": 15})
    behind = bench.submit(**other)
    bench.until(run, "done")
    assert rungs(bench, run) == [
        ("timeline.memory_half", 4, 14, 1),
        ("timeline.memory_half", 2, 14, 2),
    ]
    assert [(rung["attempt"], rung["micro_batch"]) for rung in kept(bench, run)] == [(1, 4), (2, 2)]
    view = bench.desk.get(run)
    assert (view.attempt, view.error, view.score) == (3, "", 0.5)
    assert bench.steps(run) == list(range(1, 31))
    assert json.loads((bench.desk.folder(run) / "plan.json").read_text())["options"]["batch_size"] == 8
    # It kept its place in the queue: who came later did not go first.
    bench.until(behind, "done")
    assert bench.desk.get(behind).started > view.started


def test_memory_that_runs_out_while_the_validation_rows_are_read(bench):
    bench.lead()
    memory = {"room": 300 * MB, "row": 60 * MB, "from": 15}
    run = bench.submit(steps=30, pause=0.005, phase="evaluating", memory=memory)
    bench.until(run, "done")
    assert rungs(bench, run) == [("timeline.memory_half", 4, 14, 1)]
    assert (bench.desk.get(run).attempt, bench.steps(run)) == (2, list(range(1, 31)))


def test_memory_that_runs_out_before_any_batch_is_no_matter_of_its_rows(bench):
    bench.lead()
    run = bench.submit(steps=3, pause=0.001, phase="tokenising", memory={"room": 20 * MB, "row": 400 * MB})
    bench.until(run, states.OUT_OF_MEMORY)
    assert (bench.desk.get(run).attempt, rungs(bench, run)) == (1, [])


def test_then_activations_are_computed_twice(bench):
    bench.lead()
    run = bench.submit(steps=12, pause=0.001, memory={"room": 100 * MB, "row": 160 * MB})
    bench.until(run, "done")
    assert [code for code, *_ in rungs(bench, run)] == ["timeline.memory_half"] * 3 + ["timeline.memory_recompute"]
    assert kept(bench, run)[-1] == {"attempt": 4, "micro_batch": 1, "gradient_checkpointing": True}


@pytest.mark.parametrize("recompute", ["auto", "no"])
def test_with_nothing_smaller_left_it_says_what_would_fit(bench, recompute):
    bench.lead()
    wish = {"room": 20 * MB, "row": 400 * MB, "training": {"gradient_checkpointing": recompute}}
    run = bench.submit(steps=12, pause=0.001, memory=wish)
    bench.until(run, states.OUT_OF_MEMORY)
    view = bench.desk.get(run)
    assert (view.error, view.error_values["rows"]) == ("out_of_memory_smallest", 1)
    assert "LoRA" in failure(view, "en")[2]
    assert "LoRA" in failure(view, "zh")[2]
    assert len(rungs(bench, run)) == (4 if recompute == "auto" else 3)
    # A terminal state stays terminal; asked by hand it tries once more, no smaller than it is.
    bench.desk.resume(run)
    wait_for(lambda: bench.desk.get(run).state == states.OUT_OF_MEMORY)
    assert len(rungs(bench, run)) == (4 if recompute == "auto" else 3)


def test_a_run_that_may_not_ends_at_once(bench):
    bench.lead()
    wish = {"room": 20 * MB, "row": 400 * MB, "training": {"retry_smaller": False}}
    run = bench.submit(steps=12, pause=0.001, memory=wish)
    bench.until(run, states.OUT_OF_MEMORY)
    check_ended(bench.desk.get(run), "out_of_memory")
    assert (bench.desk.get(run).attempt, rungs(bench, run)) == (1, [])


def test_killed_by_the_kernel(bench, tmp_path, monkeypatch):
    """No word from the worker: the exit record says that memory ran out."""
    (tmp_path / "kills").write_text("0")
    monkeypatch.setenv("STUB_OOM_KILLS", str(tmp_path / "kills"))
    bench.lead()
    run = bench.submit(steps=12, pause=0.001, memory={"room": 40, "row": 10, "killed": True})
    bench.until(run, "done")
    assert rungs(bench, run) == [("error.out_of_memory", None, 0, 1), ("timeline.memory_half", 4, 0, 1)]
    assert json.loads((bench.desk.folder(run) / "exit-1.json").read_text())["oom"]
    assert (tmp_path / "kills").read_text() == "1"


def test_a_leader_that_fell_between_the_rung_and_the_queue_takes_no_second_step(bench):
    """The rung is written before the database; the next leader finds it and goes on from there."""
    run = bench.submit(steps=12, pause=0.001, memory={"room": 300 * MB, "row": 60 * MB})
    first = bench.lead()
    first.store.move_and_queue = lambda *arguments, **values: os.kill  # it "succeeds" and nothing is written
    wait_for(lambda: (bench.desk.folder(run) / "memory.json").exists())
    del first.store.move_and_queue
    bench.until(run, "done")
    assert [rung["micro_batch"] for rung in kept(bench, run)] == [4]
    assert bench.desk.get(run).attempt == 2
