"""Options, specs, events, registry, workspace: read back as written, and wrong input named."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

import pytest
from spoken import check_problem

from studio import events
from studio.errors import UserError
from studio.options import option, options_of, read_options
from studio.registry import Registry
from studio.spec import PRESETS, Spec, Split, problems_of
from studio.words import say
from studio.workspace import Workspace, checked_id, new_id


@dataclass(frozen=True)
class Sample:
    rate: float = option(0.1, low=0.0, high=1.0)
    rounds: int = option(3, low=1, high=9, advanced=False)
    mode: str = option("soft", choices=("soft", "hard"))
    keep: bool = option(True)
    note: str = option("")


def test_options_know_their_kinds():
    kinds = {item.name: item.kind for item in options_of(Sample, "sample")}
    assert kinds == {"rate": "float", "rounds": "int", "mode": "choice", "keep": "bool", "note": "text"}


def test_options_are_read_from_strings_as_a_command_line_gives_them():
    values, problems = read_options(Sample, "sample", {"rate": "0.5", "rounds": "4", "mode": "hard", "keep": "no"})
    assert problems == []
    assert values == Sample(0.5, 4, "hard", False, "")


def test_every_bad_option_is_named_at_once_and_keeps_its_default():
    raw = {"rate": 2, "rounds": "1.5", "mode": "loud", "keep": "maybe", "nonsense": 1}
    values, problems = read_options(Sample, "sample", raw)
    assert values == Sample()
    assert {problem.field for problem in problems} == {f"sample.{name}" for name in raw}
    assert all(problem.severity == "error" and problem.text("zh") for problem in problems)


def test_each_kind_of_bad_option_says_what_was_seen_and_what_is_allowed():
    raw = {"rate": 2, "rounds": "1.5", "mode": "loud", "keep": "maybe", "nonsense": 1}
    _, found = read_options(Sample, "sample", raw)
    known = ["keep", "mode", "note", "rate", "rounds"]
    check_problem(found, "option_out_of_bounds", "error", "sample.rate", name="rate", value=2, low=0.0, high=1.0)
    check_problem(found, "option_not_int", "error", "sample.rounds", name="rounds", value="1.5")
    check_problem(
        found, "option_not_choice", "error", "sample.mode", name="mode", value="loud", choices=["soft", "hard"]
    )
    check_problem(found, "option_not_bool", "error", "sample.keep", name="keep", value="maybe")
    check_problem(found, "option_unknown", "error", "sample.nonsense", name="nonsense", known=known)
    _, found = read_options(Sample, "sample", {"rate": "much"})
    check_problem(found, "option_not_float", "error", "sample.rate", name="rate", value="much")


@dataclass(frozen=True)
class Lists:
    columns: tuple[str, ...] = option((), of="columns")
    pairs: tuple[tuple[str, str], ...] = option((), of="pairs")
    column: str = option("", of="column")


def test_columns_and_pairs_are_read_as_json_gives_them():
    raw = {"columns": ["a", "b"], "pairs": [["x", "y"]], "column": "a"}
    found, problems = read_options(Lists, "lists", raw)
    assert (found, problems) == (Lists(("a", "b"), (("x", "y"),), "a"), [])
    assert read_options(Lists, "lists", {"columns": "a"})[0].columns == ("a",)
    _, problems = read_options(Lists, "lists", {"columns": [1], "pairs": [["x"]]})
    check_problem(problems, "option_not_columns", "error", "lists.columns", name="columns", value=[1])
    check_problem(problems, "option_not_pairs", "error", "lists.pairs", name="pairs", value=[["x"]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [1], "1e999"])
def test_a_number_that_is_none_is_refused(value):
    _, problems = read_options(Sample, "sample", {"rounds": value})
    assert [problem.field for problem in problems] == ["sample.rounds"]


def test_spec_round_trip():
    spec = Spec(
        "d-1",
        {"text": "t"},
        "classification",
        "starter:minilm",
        "full",
        split=Split(0.2, 0.1, 7),
        options={"training": {"epochs": 2.0}},
    )
    assert Spec.loads(spec.dumps()) == spec


@pytest.mark.parametrize("text", ["", "[]", '{"data": 1', "[" * 100_000, '{"seed": ' + "9" * 5000 + "}"])
def test_an_unreadable_spec_says_where(text):
    with pytest.raises(UserError) as caught:
        Spec.loads(text)
    assert caught.value.code == "spec_unreadable"
    assert caught.value.values["part"]


SPEC = {"data": "d", "columns": {}, "task": "t", "model": "m", "method": "f"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": []}, "options"),
        ({"options": {"training": 3}}, "options"),
        ({"columns": "text"}, "columns"),
        ({"columns": {"text": 1}}, "columns"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"split": []}, "split"),
        ({"split": {"seed": "x"}}, "split.seed"),
        ({"split": {"how": 3}}, "split.how"),
        ({"split": {"column": None}}, "split.column"),
        ({"split": {"seed": -1}}, "split.seed"),
        ({"split": {"test": float("nan")}}, "split.test"),
        ({"split": {"validation": "much"}}, "split.validation"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"data": ""}, "data"),
        ({"task": ["t"]}, "task"),
        ({"model": None}, "model"),
        ({"name": 5}, "name"),
        ({"owner": 5}, "owner"),
    ],
)
def test_a_part_of_a_spec_of_another_kind_is_a_problem_of_its_field(change, field):
    (problem,) = problems_of({**SPEC, **change})
    assert (problem.code, problem.severity, problem.field) == ("spec_kind", "error", field)
    for language in ("en", "zh"):
        kind = say(problem.values["wanted_code"], language)
        assert kind in problem.text(language)
        assert f"{field}" in problem.text(language)
    with pytest.raises(UserError) as caught:
        Spec.from_json({**SPEC, **change})
    assert caught.value.code == "spec_wrong"
    assert problem.text("zh") in caught.value.parts("zh")[0]


def test_every_problem_of_a_spec_is_told_at_once():
    raw = {
        "data": "d",
        "columns": 1,
        "task": "t",
        "model": "m",
        "preset": "slow",
        "colour": 1,
        "split": {"sed": 1, "how": "fair"},
    }
    found = problems_of(raw)
    check_problem(found, "spec_missing", "error", "method", name="method")
    check_problem(found, "spec_preset", "error", "preset", seen="slow", known=["quick", "balanced", "thorough"])
    known = ["stratified", "random", "group", "time", "given"]
    check_problem(found, "spec_split", "error", "split.how", seen="fair", known=known)
    assert [(one.code, one.field) for one in found] == [
        ("spec_unknown", "colour"),
        ("spec_missing", "method"),
        ("spec_kind", "columns"),
        ("spec_preset", "preset"),
        ("spec_unknown", "split.sed"),
        ("spec_split", "split.how"),
    ]
    with pytest.raises(UserError) as caught:
        Spec.from_json(raw)
    for language in ("en", "zh"):
        what, why, _ = caught.value.parts(language)
        assert all(problem.text(language) in what for problem in found)
        assert "6" in why


def test_presets_are_those_that_can_be_planned():
    from studio.training.plan import BUDGETS

    assert tuple(BUDGETS) == PRESETS


def test_a_spec_of_a_newer_studio_is_refused():
    with pytest.raises(UserError) as caught:
        Spec.from_json({"version": 99, "data": "d", "columns": {}, "task": "t", "model": "m", "method": "f"})
    assert caught.value.code == "spec_newer"


def test_events_round_trip_and_hide_no_nan_as_a_number():
    step = events.Step(3, 0.5, float("nan"), 1e-4, float("inf"), 10.0, 100)
    raw = events.to_json(step, 12.0)
    assert raw["loss"] is None
    assert raw["gradient_norm"] is None
    for event in (
        events.Phase("training", 1, 2),
        events.Eval(4, 0.3, {"macro_f1": 0.9}, True),
        events.Done(5, "macro_f1", 0.8),
    ):
        assert events.from_json(events.to_json(event, 0.0)) == event


@dataclass(frozen=True)
class Member:
    key: str


def test_registry_refuses_doubles_and_names_the_nearest():
    registry: Registry[Member] = Registry("member", "tests_have_no_members")
    registry._scanned = True
    registry.register(Member("classification"))
    with pytest.raises(ValueError, match="twice"):
        registry.register(Member("classification"))
    with pytest.raises(UserError) as caught:
        registry.get("clasification")
    assert caught.value.values["near"] == "classification"


@pytest.mark.parametrize("value", ["", "..", "a/b", "A", "x" * 65, "a\0b", ".hidden", None, 3])
def test_only_ids_become_folder_names(value):
    with pytest.raises(UserError):
        checked_id(value)
    assert checked_id(new_id("r")).startswith("r-")


def test_the_workspace_is_private(tmp_path):
    place = Workspace.open(tmp_path / "home")
    for folder in (place.home, place.models, place.temporary):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_a_file_in_the_way_of_the_workspace_is_told(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UserError) as caught:
        Workspace.open(tmp_path / "home")
    assert caught.value.code == "home_unusable"
