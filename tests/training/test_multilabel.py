"""Multi-label classification: its forms, what is wrong with them, and a run from a file to answers that stand alone."""

from __future__ import annotations

import json
import random
import runpy
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tiny_training import BAD, GOOD, PLAIN, machine, save_encoder, save_rows

from studio.data import labelsets
from studio.data.checks import check
from studio.data.importing import import_file
from studio.data.profile import profile
from studio.data.roles import suggest, suggest_for
from studio.evaluation.kinds.base import judges
from studio.evaluation.kinds.multilabel import thresholds
from studio.evaluation.label_sets import MajoritySet
from studio.inference import package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.spec import Spec, Split
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run
from studio.workspace import Workspace

TASK, JUDGE = tasks.get("multilabel"), judges.get("multilabel")


def rows_of(count: int, seed: int = 0, form: str = ";") -> list[dict[str, str | None]]:
    """Texts whose words say which of "praise" and "blame" they hold: none, one or both."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        sets = [label for label in ("praise", "blame") if dice.random() < 0.5]
        words = dice.choices(PLAIN, k=6)
        words += [dice.choice(GOOD)] * ("praise" in sets) + [dice.choice(BAD)] * ("blame" in sets)
        dice.shuffle(words)
        cell = json.dumps(sets) if form == "json" or not sets else form.join(sets)
        rows.append({"text": " ".join(words), "labels": cell})
    return rows


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("joy;love", ["joy", "love"]),
        ("joy | love", ["joy", "love"]),
        ("喜悦；爱", ["喜悦", "爱"]),
        ('["joy", "love"]', ["joy", "love"]),
        ("['joy', 'love']", ["joy", "love"]),
        ("[]", []),
        ("joy;joy;", ["joy"]),
        ("fear, mild", ["fear, mild"]),
    ],
)
def test_several_labels_in_one_cell(cell, labels):
    assert labelsets.parse(cell) == labels
    assert TASK.expected({"text": "x", "labels": cell}) == labels


def test_a_cell_that_is_no_list_is_named_by_its_row(tmp_path):
    rows = rows_of(60)
    rows[4]["labels"] = '["praise", "bla'
    rows[5]["labels"] = "[1.5]"
    found = {problem.code: problem for problem in TASK.problems(rows)}
    problem = found["labels_unreadable"]
    assert (problem.count, problem.values["row"]) == (2, 5)
    assert "Row 5" in problem.text("en")
    assert "第 5 行" in problem.text("zh")
    assert not TASK.usable(rows[4])
    assert TASK.truth(rows[4]) is None
    blank = [{"text": "a", "labels": None}] * 5
    assert [problem.code for problem in TASK.problems(blank)] == ["labels_none"]
    same = [{"text": "a", "labels": "x"}] * 5
    assert [problem.code for problem in TASK.problems(same)] == ["labels_one"]
    many = [{"text": "a", "labels": f"l{number};m{number}"} for number in range(40)]
    assert [problem.code for problem in TASK.problems(many)] == ["labels_too_many"]


def test_lists_are_sure_marks_are_asked_about():
    texts = [row["text"] for row in rows_of(60)]
    lists = pl.DataFrame({"text": texts, "labels": [row["labels"] for row in rows_of(60, form="json")]})
    found = suggest_for(profile(lists)["columns"])
    assert (found.task, found.sure, found.columns) == ("multilabel", True, {"text": "text", "labels": "labels"})
    marked = pl.DataFrame({"text": texts, "mood": (["joy", "love", "joy|love"] * 20)})
    asked = suggest_for(profile(marked)["columns"])
    assert not asked.sure
    assert [(one.task, one.columns) for one in asked.alternatives] == [
        ("classification", {"text": "text", "label": "mood"}),
        ("multilabel", {"text": "text", "labels": "mood"}),
    ]


def test_columns_of_nought_and_one_become_lists(tmp_path):
    rows = rows_of(50)
    lines = ["text,praise,blame,long"]
    for number, row in enumerate(rows):
        sets = TASK.expected(row)
        lines.append(f"{row['text']},{int('praise' in sets)},{int('blame' in sets)},{int(number % 5 == 0)}")
    file = tmp_path / "onehot.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    workspace = Workspace.open(tmp_path / "home")
    version = import_file(workspace, "local", file, file.name)
    assert version.columns == ("text", "praise", "blame", "long", "labels")
    found = suggest(version)
    assert (found.task, found.columns["labels"], found.sure) == ("multilabel", "labels", True)
    problems = {problem.code: problem for problem in check(version, found.task, found.columns, Split())}
    assert problems["labels_joined"].values["column"] == "labels"
    assert "praise" in problems["labels_joined"].text("zh")
    plain = pa.table({"text": ["a", "b", "c"], "x": ["0", "1", "1"], "y": ["1", "1", "0"]})
    assert labelsets.join(plain) == (plain, None)
    filled = plain.append_column("z", pa.array(["0", None, "1"]))
    assert labelsets.join(filled)[1] is None


def test_scores_of_sets_by_hand():
    facts = {"labels": ["a", "b", "c"]}
    made = [{"labels": ["a"]}, {"labels": ["a", "b"]}, {"labels": []}]
    found = JUDGE.score(made, [["a"], ["b"], []], facts)
    # right 2, given 3, true 2; "c" stands nowhere and does not count.
    assert found["micro_f1"] == pytest.approx(4 / 5)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["exact_match"] == pytest.approx(2 / 3)
    assert JUDGE.score(made[:1], [["new"]], facts)["micro_f1"] == 0.0
    with pytest.raises(ValueError, match="truth"):
        JUDGE.score([], [], facts)


def test_scores_agree_with_scikit_learn():
    from sklearn.metrics import f1_score

    dice, labels = np.random.default_rng(1), list("abcd")
    said, true = dice.random((80, 4)) < 0.4, dice.random((80, 4)) < 0.3
    sets = [[[name for name, mark in zip(labels, row, strict=True) if mark] for row in table] for table in (said, true)]
    found = JUDGE.score([{"labels": one} for one in sets[0]], sets[1], {"labels": labels})
    assert found["micro_f1"] == pytest.approx(f1_score(true, said, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(true, said, average="macro"))
    assert found["exact_match"] == pytest.approx((said == true).all(axis=1).mean())


def test_a_threshold_is_where_f1_is_best():
    shares = [{"often": 0.1 * number, "rare": 0.9} for number in range(10)]
    true = [["often"] if number >= 3 else [] for number in range(10)]
    true[9].append("rare")
    found = thresholds(shares, true, ["often", "rare"])
    assert 0.2 < found["often"] <= 0.3
    # One row of a label says nothing of where its threshold should be: it shares that of all labels together.
    assert 0.05 <= found["rare"] <= 0.95
    assert thresholds([], [], ["often"]) == {}


def test_the_commonest_set_is_one_that_holds_a_label():
    sets = [[], [], [], ["a", "b"], ["b", "a"], ["a"]]
    found = MajoritySet.fit(sets, ["a", "b"])
    assert found.predict(["x"])[0]["labels"] == ["a", "b"]
    assert MajoritySet.fit([[], []], ["a"]).predict(["x"])[0]["labels"] == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("multilabel")
    spec = Spec(
        data="d-1",
        columns={"text": "text", "labels": "labels"},
        task="multilabel",
        model="local:tiny",
        method="full",
        options={"training": {"epochs": 6, "learning_rate": 3e-3, "head_learning_rate": 2e-2, "evaluations": 3}},
    )
    folder, told = place / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    inputs = Inputs(save_rows(place / "data", rows_of(160)), save_encoder(place / "model"), machine())
    train_run(folder, spec, inputs, told.append, lambda: None)
    return folder, told


def test_from_rows_to_the_report(run):
    folder, told = run
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert told[-1].metric == "micro_f1"
    assert [rung["key"] for rung in report["ladder"]] == ["majority_set", "tfidf_set", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > scores["majority_set"] + 0.1
    assert scores["tfidf_set"] > scores["majority_set"] + 0.1
    assert all(low <= report["test"][name] <= high for name, (low, high) in report["interval"].items())
    assert [entry["label"] for entry in report["classes"]] == ["blame", "praise"]
    facts = json.loads((folder / "model" / "facts.json").read_text("utf-8"))
    assert report["thresholds"] == facts["thresholds"]
    assert set(facts["thresholds"]) == {"blame", "praise"}
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == report["rows"]
    assert {line["row"] for line in report["mistakes"]} == {line["row"] for line in lines if line["wrong"]}
    assert all(line["answer"] != line["truth"] for line in lines if line["wrong"])


def test_answers_keep_to_the_thresholds_and_fill_a_file(run):
    predictor = Predictor.load(run[0])
    predictor.facts["thresholds"] = {"blame": 0.0, "praise": 1.1}
    answer = predictor.predict(["the soup was good"])[0]
    assert answer["labels"] == ["blame"]
    cells = answerers.get("multilabel").cells(answer)
    assert list(cells) == ["predicted_labels", "probability_blame", "probability_praise"]
    assert cells["predicted_labels"] == "blame"


@pytest.mark.parametrize("which", ["tuned", "simple"])
def test_the_download_answers_alike(run, tmp_path, which):
    folder = run[0]
    list(package.build(folder, tmp_path / "out.zip", "en", which))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path)
    text = "a good bed and a bad soup"
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "model" / "predict.py"), text], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    if which == "tuned":
        mine = Predictor.load(folder).predict([text])[0]
    else:
        made = runpy.run_path(str(tmp_path / "model" / "predict.py"))
        mine = Predictor.load_simple(folder, made["about"]["key"]).predict([text])[0]
    assert said["labels"] == mine["labels"]
    assert said["scores"] == pytest.approx(mine["scores"], abs=1e-4)


def test_simple_models_alone_make_a_run(tmp_path):
    rows = [{"text": row["text"], "labels": row["labels"]} for row in rows_of(80, seed=3)]
    spec = Spec("d-1", {"text": "text", "labels": "labels"}, "multilabel", "", "baseline")
    told = []
    (tmp_path / "run").mkdir()
    train_run(
        tmp_path / "run", spec, Inputs(save_rows(tmp_path / "data", rows), None, machine()), told.append, lambda: None
    )
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["model"] == "tfidf_set"
    assert report["verdict"]["code"] == "verdict.simple"
