"""Edited keyword rules count: they are scored at once, their dashed line moves, and no resume learns over them."""

from __future__ import annotations

import json

import pytest

from studio.data.importing import import_file
from studio.data.store import find_version, read_rows
from studio.errors import UserError
from studio.evaluation.baseline import load
from studio.evaluation.rules import Rules, rules_by_hand, with_edits
from studio.events import Baseline
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.reporting import report_run
from studio.training.rows import Table
from studio.training.simple import Simple
from studio.web.context import Page
from studio.web.kinds.labels import told_edit
from studio.web.live import Live
from studio.web.tabs.rules import rules_of, save_rules

LABELS = ["animals", "food"]
PERFECT = "cat: animals\n外卖: food"


@pytest.fixture
def desk(workspace):
    desk = Desk(workspace)
    yield desk
    desk.close()


@pytest.fixture
def run(desk, tmp_path) -> str:
    """A run whose learnt rule knows one label only."""
    file = tmp_path / "mixed.csv"
    said = ("a cat sat here", "外卖 很好吃")
    file.write_text("said,what\n" + "".join(f"{said[n % 2]} {n},{LABELS[n % 2]}\n" for n in range(60)))
    data = import_file(desk.workspace, "local", file, file.name)
    made = desk.submit(Spec(data.version, {"text": "said", "label": "what"}, "classification", "", "baseline"))
    folder = desk.folder(made)
    (folder / "split.json").write_text(json.dumps({"train": [*range(40)], "validation": [*range(40, 60)], "test": []}))
    rules = Rules(LABELS, [{"keyword": "sat", "label": "food"}], "food", {"animals": 0.5, "food": 0.5})
    rules.validation = 0.25
    rules.save(folder / "baselines" / "rules")
    return made


@pytest.fixture
def folder(desk, run):
    return desk.folder(run)


def test_an_edit_is_scored_and_its_line_moves(desk, run, folder):
    live = Live(desk)
    assert live.since(run, "", "en")["run"]["edited"] is None
    edited = save_rules(desk.workspace, folder, desk.spec(run), PERFECT)
    assert edited.before == 0.25
    assert edited.now == pytest.approx(1.0)
    assert edited.rows == 20
    line = live.since(run, "", "en")["run"]["edited"]
    assert (line["key"], line["metric"], line["score"]) == ("rules", "macro_f1", edited.now)


def test_the_page_says_the_new_score_and_the_old_one(desk, run, folder):
    for language in ("en", "zh"):
        page = Page(desk, InferenceClient(desk.workspace), language)
        assert "1.000" in told_edit(page, run, PERFECT)
    told = told_edit(page, run, "never found anywhere: food")
    assert "1.000" in told.partition("修改前")[2]


def test_what_cannot_be_a_rule_changes_nothing(desk, run, folder):
    kept = rules_of(folder)
    for text in ("word: no such label", "no colon at all"):
        with pytest.raises(UserError):
            save_rules(desk.workspace, folder, desk.spec(run), text)
    assert rules_of(folder) == kept
    assert rules_by_hand(folder) is None


def test_edited_rules_stand_in_for_learnt_ones(desk, run, folder):
    learnt = load(folder / "baselines" / "rules")
    models = {"rules": learnt}
    assert with_edits(folder, models) == models
    save_rules(desk.workspace, folder, desk.spec(run), f"hello: {learnt.labels[0]}")
    (kept,) = with_edits(folder, models).values()
    assert kept.rules == [{"keyword": "hello", "label": learnt.labels[0]}]
    learnt.labels = ["other", "labels"]
    assert with_edits(folder, models) == models, "rules of other labels are no rules for these"


def test_without_its_data_an_edit_is_kept_unscored(desk, run, folder):
    label = load(folder / "baselines" / "rules").labels[0]
    (folder / "split.json").unlink()
    edited = save_rules(desk.workspace, folder, desk.spec(run), f"hello: {label}")
    assert edited.now is None
    assert Live(desk).since(run, "", "en")["run"]["edited"] is None
    assert rules_by_hand(folder) is not None


def test_a_resume_keeps_edited_rules_and_the_report_judges_them(desk, run, folder):
    spec = desk.spec(run)
    task = tasks.get(spec.task)
    rows = read_rows(find_version(desk.workspace, spec.data), spec.columns)
    table = Table(rows, [*range(60)], {"train": [*range(30)], "validation": [*range(40, 60)], "test": [*range(30, 40)]})
    save_rules(desk.workspace, folder, spec, "nowhere to be found: animals")
    kept = (folder / "baselines" / "rules" / "baseline.json").read_text()
    told = []
    simple = Simple(folder, task, table, {"labels": LABELS}, 13)
    simple.start()
    simple.wait(told.append, None)
    assert simple.models, simple.fault
    assert (folder / "baselines" / "rules" / "baseline.json").read_text() == kept
    scores = {event.key: event.score for event in told if isinstance(event, Baseline)}
    assert scores["rules"] == pytest.approx(1 / 3)
    assert scores["tfidf"] == pytest.approx(1.0)
    # Edited once more while the model learns: the report is made with what is there then.
    save_rules(desk.workspace, folder, spec, PERFECT)
    report_run(folder, spec, task, table, simple.facts, simple.models, None, None, told.append)
    ladder = {rung["key"]: rung for rung in desk.report(run)["ladder"]}
    assert (ladder["rules"]["by_hand"], ladder["rules"]["score"]) == (True, 1.0)
    assert "by_hand" not in ladder["tfidf"]
