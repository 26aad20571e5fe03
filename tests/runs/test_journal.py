"""Event files: whole lines only, no step twice, thinned without losing the extremes, whatever the file looks like."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.events import Done, Eval, Note, Phase, Resumed, Step
from studio.runs import journal
from studio.runs.journal import Journal, read, thin


def step(number, loss=1.0):
    return Step(number, number / 10, loss, 0.1, 1.0, 10.0, 1)


def steps(events):
    return [event["step"] for event in events if event["event"] == "step"]


def write(folder, attempt, *events):
    made = Journal(folder, attempt)
    for event in events:
        made.emit(event)
    made.close()


def test_attempt_is_taken_once(tmp_path):
    Journal(tmp_path, 1).close()
    with pytest.raises(FileExistsError):
        Journal(tmp_path, 1)


def test_cursor_gives_only_what_is_new(tmp_path):
    made = Journal(tmp_path, 1)
    assert read(tmp_path) == ([], "1.0.0.0", True)
    made.emit(step(1))
    events, cursor, reset = read(tmp_path, "1.0.0.0")
    assert (steps(events), reset) == ([1], False)
    assert read(tmp_path, cursor) == ([], cursor, False)
    made.emit(step(2))
    assert steps(read(tmp_path, cursor)[0]) == [2]
    made.close()


def test_first_event_after_an_empty_folder(tmp_path):
    _, cursor, _ = read(tmp_path)
    write(tmp_path, 1, step(1))
    events, _, reset = read(tmp_path, cursor)
    assert (steps(events), reset) == ([1], False)


def test_resumed_run_shows_no_step_twice(tmp_path):
    write(tmp_path, 1, *[step(number, 1.0) for number in range(1, 58)], Eval(50, 0.5, {"f1": 0.5}))
    before, cursor, _ = read(tmp_path)
    second = Journal(tmp_path, 2)
    second.emit(Phase("tokenising"))
    events, cursor, reset = read(tmp_path, cursor)
    assert ([event["event"] for event in events], reset) == (["phase"], False)
    second.emit(Resumed(40))
    second.emit(step(41, 2.0))
    events, cursor, reset = read(tmp_path, cursor)
    assert reset
    assert steps(events) == list(range(1, 42))
    assert [event["loss"] for event in events if event["event"] == "step"][-2:] == [1.0, 2.0]
    assert not [event for event in events if event["event"] == "eval"]
    second.emit(step(42, 2.0))
    events, cursor, reset = read(tmp_path, cursor)
    assert (steps(events), reset) == ([42], False)
    second.close()


def test_attempt_that_starts_over(tmp_path):
    write(tmp_path, 1, *[step(number) for number in range(1, 10)])
    _, cursor, _ = read(tmp_path)
    write(tmp_path, 2, step(1, 5.0), step(2, 5.0))
    events, _, reset = read(tmp_path, cursor)
    assert reset
    assert [event["loss"] for event in events] == [5.0, 5.0]


def test_resume_that_continues_needs_no_reset(tmp_path):
    write(tmp_path, 1, *[step(number) for number in range(1, 11)])
    _, cursor, _ = read(tmp_path)
    write(tmp_path, 2, Resumed(10), step(11))
    events, _, reset = read(tmp_path, cursor)
    assert (steps(events), reset) == ([11], False)


def test_every_cut_of_the_last_line(tmp_path):
    write(tmp_path, 1, step(1), step(2, 0.123456))
    path = tmp_path / "events-1.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        events, cursor, _ = read(tmp_path)
        assert steps(events) == [1]
        path.write_bytes(whole)
        assert steps(read(tmp_path, cursor)[0]) == [2]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.text(alphabet="0123456789.x-", max_size=12))
def test_garbage_raises_nothing(tmp_path_factory, garbage, cursor):
    folder = tmp_path_factory.mktemp("g")
    write(folder, 1, step(1))
    with (folder / "events-1.jsonl").open("ab") as file:
        file.write(garbage + b"\n" + json.dumps({"event": "step", "step": 2, "loss": None}).encode() + b"\n")
    events, _, _ = read(folder, cursor)
    assert 2 in steps(read(folder)[0])
    assert set(steps(events)) <= {1, 2}


def test_torn_write_costs_one_line(tmp_path, monkeypatch):
    made = Journal(tmp_path, 1)
    real = journal.os.write
    monkeypatch.setattr(journal.os, "write", lambda file, line: real(file, line[:10]))
    made.emit(step(1))
    monkeypatch.undo()
    made.emit(step(2))
    assert steps(read(tmp_path)[0]) == [2]
    assert made.lost == 1
    made.close()


def test_full_disk_does_not_raise(tmp_path):
    made = Journal(tmp_path, 1)
    with open("/dev/full", "wb", buffering=0) as full:
        own, made._file = made._file, full.fileno()
        made.emit(step(1))
        made._file = own
    assert made.lost == 1
    made.close()


def test_non_finite_is_a_gap(tmp_path):
    write(tmp_path, 1, step(1, float("nan")))
    assert read(tmp_path)[0][0]["loss"] is None


def test_thinning_keeps_the_extremes(tmp_path):
    records = [
        {"event": "step", "step": number, "loss": 1.0 + (number % 7) / 10, "attempt": 1} for number in range(1, 10001)
    ]
    records[5000]["loss"] = 99.0
    records[7000]["loss"] = -5.0
    records.insert(3, {"event": "eval", "step": 3, "attempt": 1})
    kept = thin(records)
    numbers = steps(kept)
    assert len(numbers) <= journal.POINTS
    assert numbers[0] == 1
    assert numbers[-1] == 10000
    assert numbers == sorted(set(numbers))
    assert {event["loss"] for event in kept if event["event"] == "step"} >= {99.0, -5.0}
    assert [event for event in kept if event["event"] == "eval"]


def test_phases_are_shown_once_with_their_newest_numbers(tmp_path):
    write(tmp_path, 1, *[Phase("training", number, 10) for number in range(10)], Note("x"), Phase("saving"))
    events, _, _ = read(tmp_path)
    assert [(event["event"], event.get("done")) for event in events] == [("phase", 9), ("note", None), ("phase", 0)]


def test_last_event(tmp_path):
    write(tmp_path, 1, step(1), Done(1, "f1", 0.5), Note("x"))
    assert journal.last_event(tmp_path, 1, ("done", "failed"))["score"] == 0.5
    assert journal.last_event(tmp_path, 1, ("failed",)) is None
    assert journal.last_event(tmp_path, 2, ("done",)) is None


def test_big_history_is_quick(tmp_path):

    with (tmp_path / "events-1.jsonl").open("w") as file:
        for number in range(1, 50001):
            file.write(json.dumps({"event": "step", "time": 1.0, "step": number, "epoch": 1.0, "loss": 0.5}) + "\n")
    began = time.monotonic()
    events, cursor, _ = read(tmp_path)
    assert time.monotonic() - began < 5
    assert len(events) <= journal.POINTS
    assert read(tmp_path, cursor) == ([], cursor, False)
