"""Techniques: what they cost, the same run without one, and how the two compare on the same test rows."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from run_specs import a_spec
from spoken import check_problem, check_spoken
from test_draft import USE, animals, know_machine, model  # noqa: F401

from studio.data.importing import import_file
from studio.data.use import Use
from studio.errors import UserError
from studio.evaluation.paired import compared
from studio.inference.client import InferenceClient
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.draft import draft, use_of
from studio.runs.techniques import TECHNIQUES, cost, finished, technique, twins, used_by, without
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.report import shown_report
from studio.web.tabs.techniques import shown_techniques
from studio.words import has, say


@pytest.fixture
def desk(workspace):
    made = Desk(workspace)
    yield made
    made.close()


def written(folder, answers, result="labels", row=0):
    """report.json and predictions.jsonl as a finished run leaves them; the truth alternates."""
    truths = ["cat" if number % 2 else "dog" for number in range(len(answers))]
    right = sum(one == other for one, other in zip(answers, truths, strict=True)) / len(answers)
    lines = [
        json.dumps({"row": row + number, "text": "x", "truth": truth, "answer": answer})
        for number, (truth, answer) in enumerate(zip(truths, answers, strict=True))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    report = {
        "main_metric": "accuracy", "result": result, "test": {"accuracy": right}, "confusion": {"labels": ["cat", "dog"]},
        "verdict": {"code": "verdict.alone", "values": {"score": 1.0, "rows": 1, "low": 0.0, "high": 1.0}, "kind": "alone"}, "ladder": [], "model": "tuned",
        "lower_is_better": False, "simple": None, "rows": len(answers),
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report))


def test_each_has_its_words_and_its_cost():
    for one in TECHNIQUES:
        assert has(f"technique.{one.key}")
        assert has(f"technique.{one.key}_help")
    assert [cost(one, {}) for one in TECHNIQUES] == [1, 1, 1, 2, 2, 1, 1]
    asked = {"adversarial": "freelb", "adversarial_steps": 4, "augment_copies": 3}
    assert [cost(technique(key), asked) for key in ("augment", "adversarial")] == [4, 4]
    with pytest.raises(UserError) as caught:
        technique("magic")
    known = ["weights", "oversample", "focal", "augment", "adversarial", "language", "context"]
    check_spoken(caught.value, "unknown_key", kind="technique", key="magic", near="weights", known=known)


def test_only_tasks_with_the_option_have_it():
    labels, chat = tasks.get("classification"), tasks.get("chat")
    assert [one.key for one in TECHNIQUES if one.applies(labels)] == [one.key for one in TECHNIQUES]
    assert [one.key for one in TECHNIQUES if one.applies(chat)] == ["augment", "adversarial", "language"]


def test_the_same_run_without_one_is_the_same_run(desk, model):  # noqa: F811
    know_machine(desk.workspace, 16 * 10**9)
    data, chosen = animals(desk.workspace), {"task": {"oversample": 1.0}, "training": {"augment": "swap"}}
    spec = draft(desk.workspace, data, use=USE, model=model, method="head", options=chosen, seed=5).spec
    assert [one.key for one in used_by(spec)] == ["oversample", "augment"]
    made = without(desk, spec, "augment", "local").spec
    assert made.options["training"]["augment"] == "off"
    assert made.options["task"] == spec.options["task"]
    assert made.seed == spec.seed == 5
    first, other = desk.submit(spec), desk.submit(made)
    desk.submit(dataclasses.replace(made, seed=6))
    assert [view.id for view in twins(desk, desk.get(first), spec, "augment")] == [other]
    assert list(twins(desk, desk.get(first), spec, "oversample")) == []


def test_the_same_run_without_the_language_first(desk, model):  # noqa: F811
    know_machine(desk.workspace, 16 * 10**9)
    data = animals(desk.workspace)
    spec = draft(
        desk.workspace, data, use=USE, model=model, options={"training": {"language_first": True}}, seed=5
    ).spec
    assert [one.key for one in used_by(spec)] == ["language"]
    made = without(desk, spec, "language", "local").spec
    assert not made.options["training"]["language_first"]
    kept = {**spec.options["training"], "language_first": False}
    assert made.options["training"] == kept, "the same passes, the same rates"
    first, other = desk.submit(spec), desk.submit(made)
    assert [view.id for view in twins(desk, desk.get(first), spec, "language")] == [other]


def test_where_the_language_cannot_come_first_the_draft_says_why(desk, model):  # noqa: F811
    know_machine(desk.workspace, 16 * 10**9)
    data, asked = animals(desk.workspace), {"training": {"language_first": True}}
    made = draft(desk.workspace, data, use=USE, model=model, options=asked)
    assert made.language > 0
    assert made.estimate.seconds > draft(desk.workspace, data, use=USE, model=model).estimate.seconds
    assert not [one for one in made.problems if one.code == "language_refused"]
    made = draft(desk.workspace, data, use=Use("masked_lm", {"text": "text"}), model=model, options=asked)
    (problem,) = [one for one in made.problems if one.code == "language_refused"]
    assert (problem.severity, problem.field) == ("error", "training.language_first")
    for language in ("en", "zh"):
        assert say("technique.language_itself", language) in problem.text(language)
    assert made.language is None
    assert made.no_language.code == "technique.language_itself"


def test_the_same_run_without_context(desk, model):  # noqa: F811
    know_machine(desk.workspace, 16 * 10**9)
    rows = [f"what a long message number {n} says,{n % 2},d{n // 4},{n % 4}" for n in range(80)]
    file = desk.workspace.temporary / "talks.csv"
    file.write_text("\n".join(["text,label,dialog_id,turn", *rows]), encoding="utf-8")
    data = import_file(desk.workspace, "local", file, file.name)
    use = use_of(desk.workspace, data)[0]
    assert use.columns == {"text": "text", "label": "label", "thread": "dialog_id", "turn": "turn"}
    plain = draft(desk.workspace, data, use=use, model=model)
    assert not used_by(plain.spec)
    assert plain.context > 1.5, "what it would cost is known before it is asked for"
    made = draft(desk.workspace, data, use=use, model=model, options={"task": {"context": 3}}, seed=5)
    assert [one.key for one in used_by(made.spec)] == ["context"]
    assert made.context == pytest.approx(plain.context)
    assert made.estimate.seconds > plain.estimate.seconds
    assert made.spec.options["training"]["max_length"] > plain.spec.options["training"]["max_length"]
    other = without(desk, made.spec, "context", "local").spec
    assert other.options["task"]["context"] == 0
    assert (other.columns, other.split, other.seed) == (made.spec.columns, made.spec.split, 5)
    first, second = desk.submit(made.spec), desk.submit(other)
    assert [view.id for view in twins(desk, desk.get(first), made.spec, "context")] == [second]
    page = Page(desk, InferenceClient(desk.workspace), "en")
    (card,) = [one for one in shown_techniques(page, made) if one["key"] == "context"]
    assert (card["on"], card["why"]) == (True, "")
    assert f"{made.context:.1f}" in card["cost"]


def test_without_a_column_of_conversations_there_is_no_context(desk, model):  # noqa: F811
    know_machine(desk.workspace, 16 * 10**9)
    data = animals(desk.workspace)
    made = draft(desk.workspace, data, use=USE, model=model, options={"task": {"context": 3}})
    check_problem(made.problems, "context_no_column", "error", "task.context", context=3)
    assert made.context is None
    page = Page(desk, InferenceClient(desk.workspace), "zh")
    (card,) = [one for one in shown_techniques(page, made) if one["key"] == "context"]
    assert card["why"] == say("technique.context_none", "zh")
    assert not [one for one in draft(desk.workspace, data, use=USE, model=model).problems if "context" in one.code]


def end(desk, run):
    job = desk.store.last_job(run)
    with desk.store.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'running', started = ? WHERE id = ?", (time.time(), job.id))
    assert desk.store.move(desk.store.job(job.id), states.DONE)


def test_the_report_tells_what_it_brought(desk):
    plain = a_spec()
    spec = dataclasses.replace(plain, options={"training": {"augment": "swap"}})
    run, other = desk.submit(spec), desk.submit(plain)
    end(desk, run)
    good = ["cat" if number % 2 else "dog" for number in range(80)]
    bad = [one if number % 3 else "cat" for number, one in enumerate(good)]
    written(desk.folder(run), good)

    def told(language="en"):
        return shown_report(desk, run, language)["techniques"]

    assert [(one["key"], one["run"], one["text"]) for one in told()] == [("augment", other, "")], "it is under way"
    assert not finished(desk, desk.get(other))
    end(desk, other)
    written(desk.folder(other), bad)
    found = told()[0]
    assert found["tone"] == "better"
    assert "It helped here" in found["text"]
    assert "80" in found["text"]
    assert "有帮助" in told("zh")[0]["text"]
    written(desk.folder(other), good)
    assert told()[0]["tone"] == "unclear"
    written(desk.folder(run), bad)
    assert told()[0]["tone"] == "worse"
    written(desk.folder(other), good, row=7)
    assert "same rows" in told()[0]["text"]


def test_two_runs_are_compared_row_by_row(tmp_path):
    good = ["cat" if number % 2 else "dog" for number in range(60)]
    bad = ["dog"] * 60
    written(tmp_path / "one", good)
    written(tmp_path / "two", bad)
    found = compared(tmp_path / "one", tmp_path / "two")
    assert found["value"] == pytest.approx(0.5)
    assert 0 < found["low"] < 0.5 < found["high"]
    assert found["rows"] == 60
    written(tmp_path / "one", good, result="multilabel")
    plain = compared(tmp_path / "one", tmp_path / "two")
    assert (plain["value"], plain["low"], plain["high"]) == (0.5, None, None)
