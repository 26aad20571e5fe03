"""The live view's words: what is said of a run, and how long it has left."""

from __future__ import annotations

import time

import pytest

from studio.runs.view import RunView
from studio.web.live import seconds_left, spoken_time, status, worded


def view(state: str, **more) -> RunView:
    base = {
        "id": "r-1", "name": "n", "owner": "local", "owner_name": "local", "task": "classification", "model": "m",
        "method": "full", "data": "d", "data_name": "f", "preset": "quick", "created": 0.0, "started": 1.0, "ended": None,
        "seconds": 1.0, "attempt": 1, "metric": "macro_f1", "score": None, "error": "", "error_values": {},
    }  # fmt: skip
    return RunView(**{**base, "state": state, **more})


def steps(count: int, seconds: float) -> list[dict]:
    return [{"event": "step", "step": number, "time": number * seconds} for number in range(1, count + 1)]


def test_time_left_follows_the_latest_pace():
    records = [{"event": "plan", "steps": 100}, *steps(40, 0.5)]
    assert seconds_left(records) == pytest.approx(30.0)


def test_a_pause_before_a_resume_is_no_pace():
    first = [{**step, "attempt": 1} for step in steps(40, 0.5)]
    again = [{"event": "step", "step": 40 + n, "time": 100_000 + 0.5 * n, "attempt": 2} for n in range(1, 11)]
    plan = {"event": "plan", "steps": 100, "attempt": 2}
    assert seconds_left([*first, plan, *again]) == pytest.approx(25.0)
    assert seconds_left([*first, plan]) is None
    assert seconds_left([]) is None


def test_who_waits_is_told_when_it_is_expected_to_start():
    soon = view("queued", position=2, expected_start=time.time() + 600.5)
    assert "10 min" in status(soon, [], None, "en")
    assert "10 分钟" in status(soon, [], None, "zh")
    assert "2" in status(view("queued", position=2), [], None, "en")


def test_time_left_is_unknown_before_two_steps():
    assert seconds_left([{"event": "plan", "steps": 10}, *steps(1, 1.0)]) is None
    assert seconds_left(steps(9, 1.0)) is None


@pytest.mark.parametrize(
    "state",
    ["queued", "admitted", "starting", "running", "stalled", "stopping", "done", "stopped", "failed", "interrupted"],
)
def test_every_state_has_a_sentence_in_both_languages(state):
    for language in ("en", "zh"):
        said = status(view(state), [], None, language)
        assert said
        assert "{" not in said


def test_the_score_of_a_finished_run_is_said():
    assert "0.912" in status(view("done", score=0.9123), [], None, "en")


def test_events_with_codes_are_spoken():
    told = worded({"event": "checkpoint", "step": 12, "best": False}, "en")
    assert "12" in told["text"]
    assert "text" not in worded({"event": "step", "step": 1}, "en")


def test_durations_are_said_as_people_do():
    assert spoken_time(40, "en") == "40 s"
    assert spoken_time(600, "en") == "10 min"
    assert spoken_time(7200, "en") == "2.0 h"


TOLD = {
    "killed": {"event": "watched", "code": "error.ended_by_signal", "values": {"signal": 9, "name": "SIGKILL"}},
    "resumed": {"event": "resumed", "exact": True},
    "out of memory": {"event": "failed", "code": "out_of_memory", "values": {}},
    "half the rows": {"event": "watched", "code": "timeline.memory_half", "values": {"before": 8, "rows": 4}},
    "recompute": {"event": "watched", "code": "timeline.memory_recompute", "values": {"rows": 1}},
    "nothing smaller": {
        "event": "watched",
        "code": "error.out_of_memory_smallest",
        "values": {"rows": 1, "instead_code": "memory.instead_full"},
    },
    "stalled": {"event": "watched", "code": "timeline.stalled", "values": {"seconds": 300}},
    "moving again": {"event": "watched", "code": "timeline.moving_again", "values": {}},
    "stalled for good": {"event": "watched", "code": "error.stalled_ended", "values": {"minutes": 120}},
    "disk full": {"event": "failed", "code": "disk_full", "values": {"path": "/home/x"}},
    "no room for a checkpoint": {"event": "caution", "code": "timeline.saving_paused", "values": {}},
    "room again": {"event": "note", "code": "timeline.saving_again", "values": {"step": 7}},
    "followed by another": {"event": "watched", "code": "timeline.adopted", "values": {}},
    "resumed with other digits": {"event": "resumed", "exact": False},
    "a damaged checkpoint": {
        "event": "caution",
        "code": "timeline.damage_content",
        "values": {"checkpoint": "step-00000006", "file": "weights.safetensors"},
    },
    "a checkpoint that cannot be written": {
        "event": "caution",
        "code": "timeline.checkpoint_unsaved",
        "values": {"reason": "Input/output error"},
    },
    "not a number": {"event": "failed", "code": "non_finite", "values": {"step": 7, "rate": 0.1}},
    "keeper gone": {"event": "watched", "code": "timeline.keeper_gone", "values": {}},
    "end unseen": {"event": "watched", "code": "error.end_unknown", "values": {"attempt": 2}},
}


@pytest.mark.parametrize("what", TOLD)
def test_every_trouble_has_a_sentence_on_the_timeline(what):
    spoken = {language: worded({**TOLD[what], "step": 7}, language)["text"] for language in ("en", "zh")}
    assert spoken["en"] != spoken["zh"]
    for text in spoken.values():
        assert "{" not in text
        assert text.endswith((".", "。"))


GOOD = ("resumed", "resumed with other digits", "moving again", "followed by another", "room again")


@pytest.mark.parametrize("what", TOLD)
def test_every_trouble_and_what_went_on_all_the_same_has_a_flag_on_the_chart(what):
    assert worded({**TOLD[what], "step": 7}, "en")["flag"] == ("good" if what in GOOD else "bad")


def test_what_is_no_trouble_has_none():
    for event in (
        {"event": "checkpoint", "step": 1},
        {"event": "note", "code": "timeline.attempt_started", "values": {"attempt": 1}},
    ):
        assert "flag" not in worded(event, "en")


def test_how_a_run_goes_on_is_told_apart():
    said = {
        worded({"event": "resumed", "step": step, "exact": exact}, "en")["text"]
        for step, exact in ((7, True), (7, False), (0, True))
    }
    assert len(said) == 3
    assert any("began again at the first step" in text for text in said)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 90_000.0])
def test_a_clock_that_was_put_right_is_no_pace(jump):
    records = [{**step, "time": step["time"] + (jump if step["step"] > 30 else 0.0)} for step in steps(40, 0.5)]
    assert seconds_left([{"event": "plan", "steps": 100}, *records]) == pytest.approx(30.0)
