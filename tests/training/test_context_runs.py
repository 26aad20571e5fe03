"""Runs that read earlier rows: what they learn by it, and that report, file and download read the same."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile

import pytest
from spoken import check_spoken
from tiny_training import machine, reviews, save_encoder, save_rows

from studio.errors import UserError
from studio.inference import package
from studio.inference.files import Earlier, Table
from studio.inference.loading import make_pool
from studio.inference.predictor import Predictor
from studio.inference.requests import Requests
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.rows import read_table
from studio.training.run import Inputs, train_run
from studio.workspace import Workspace

COLUMNS = {"text": "text", "label": "label", "thread": "talk", "turn": "turn"}


def talks(count=100):
    """Two rows a conversation: the second says nothing of its own, its label is the first one's. In the file the
    second row of every other conversation stands before the first."""
    rows = []
    for number, said in enumerate(reviews(count)):
        same = {"label": said["label"], "talk": f"t{number}"}
        pair = [{"text": said["text"], "turn": "1", **same}, {"text": "and the staff", "turn": "2", **same}]
        rows += pair[::-1] if number % 4 > 1 else pair
    return rows


def trained(folder, task="classification", columns=COLUMNS, rows=None, **options):
    spec = Spec(
        data="d-1",
        columns=columns,
        task=task,
        model="local:tiny",
        method="full",
        options={
            "training": {"epochs": 12, "evaluations": 2, "batch_size": 8, "max_length": 24, "learning_rate": 3e-3},
            "task": options,
        },
    )
    run = folder / f"run-{task}-{options.get('context', 0)}"
    run.mkdir(parents=True)
    (run / "spec.json").write_text(spec.dumps(), "utf-8")
    inputs = Inputs(save_rows(folder / "data", rows or talks()), save_encoder(folder / "model"), machine())
    train_run(run, spec, inputs, lambda event: None, lambda: None)
    return run, json.loads((run / "report.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two runs with the same seed, with and without earlier rows."""
    home = tmp_path_factory.mktemp("home")
    return home, trained(home / "with", context=1), trained(home / "without", context=0)


def silent_rows(run):
    """The share of right answers to the test rows that say nothing of their own."""
    entries = [json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()]
    right = [entry["answer"] == entry["truth"] for entry in entries if entry["text"] == "and the staff"]
    return sum(right) / len(right)


def test_where_context_decides_it_is_learnt(pair):
    _, (run, report), (other, plain) = pair
    assert (run / "split.json").read_text() == (other / "split.json").read_text(), "the same rows, whichever is asked"
    silent = [silent_rows(folder) for folder in (run, other)]
    assert silent[0] > 0.8
    assert silent[1] < 0.75, "of rows that say nothing it can only guess"
    assert report["test"]["accuracy"] > plain["test"]["accuracy"]
    (note,) = [note for note in report["notes"] if note["code"] == "report.note.context"]
    assert note["values"] == {"rows": 1}
    assert not [note for note in plain["notes"] if note["code"] == "report.note.context"]
    entries = [json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert {bool(entry.get("earlier")) for entry in entries} == {True, False}
    simple = next(rung["score"] for rung in report["ladder"] if rung["key"] == "tfidf")
    assert simple == next(rung["score"] for rung in plain["ladder"] if rung["key"] == "tfidf"), (
        "they read the text alone"
    )


def test_a_model_sees_no_column_that_groups_and_only_earlier_rows(pair):
    home, (run, _), _ = pair
    spec = Spec.loads((run / "spec.json").read_text("utf-8"))
    table, _ = read_table(run, spec, tasks.get("classification"), home / "with" / "data")
    rows = talks()
    for number, row in zip(table.numbers, table.rows, strict=True):
        assert set(row) == {"text", "label", "earlier"}
        mine = rows[number]
        first = next(other for other in rows if other["talk"] == mine["talk"] and other["turn"] == "1")
        assert row["earlier"] == ("" if mine["turn"] == "1" else first["text"])
    for part in table.split.values():
        named = [rows[table.numbers[place]]["talk"] for place in part]
        assert all(named.count(name) == 2 for name in named)


def test_a_file_is_answered_as_the_report_was_whatever_the_order_of_its_rows(pair, tmp_path):
    home, (run, _), _ = pair
    workspace = Workspace.open(home)
    entries = [json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()]
    requests = Requests(workspace, make_pool(workspace))
    rows = talks()
    backwards = save_rows(tmp_path / "backwards", rows[::-1])
    out = tmp_path / "answers.csv"
    asked = {"op": "predict_file", "run": str(run), "data": str(backwards / "rows.parquet"), "out": str(out)}
    *_, last = requests.steps(asked)
    assert last["value"]["rows"] == len(rows)
    answers = list(csv.DictReader(out.open(encoding="utf-8-sig")))[::-1]
    for entry in entries:
        answer = answers[entry["row"]]
        assert answer["text"] == entry["text"]
        assert float(answer["probability_positive"]) == pytest.approx(entry["scores"]["positive"], abs=1e-4)
    predictor = Predictor.load(run)
    for entry in entries[:6]:
        (found,) = predictor.predict([{"text": entry["text"], "earlier": entry.get("earlier")}])
        assert found["scores"]["positive"] == pytest.approx(entry["scores"]["positive"], abs=1e-4)


def test_a_file_without_conversations_is_refused(tmp_path):
    bare = save_rows(tmp_path / "bare", [{"text": "the soup was good"}])
    table = Table(bare / "rows.parquet")
    with pytest.raises(UserError) as caught:
        Earlier(table, COLUMNS, {"text": "text"}, 2)
    check_spoken(caught.value, "predict_column_missing", missing=["talk"], columns=["text"])
    assert Earlier(table, COLUMNS, {"text": "text"}, 0).beside(0) == {}
    named = Table(save_rows(tmp_path / "named", talks(2)[:3]) / "rows.parquet")
    renamed = Earlier(named, COLUMNS, {"text": "text"}, 2)
    assert renamed.beside(1) == {"earlier": talks(2)[0]["text"]}


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_download_reads_it_too(pair, tmp_path, task):
    """`package.build` compares answers to rows with earlier ones in a fresh Python, and fails where they differ."""
    if task == "classification":
        run = pair[1][0]
    else:
        rows = [{**row, "label": "5" if row["label"] == "positive" else "1"} for row in talks(30)]
        truth = "labels" if task == "multilabel" else "number"
        columns = {**{role: name for role, name in COLUMNS.items() if role != "label"}, truth: "label"}
        run, _ = trained(tmp_path, task, columns, rows, context=1, head="cnn" if task == "regression" else "linear")
    out = tmp_path / "model.zip"
    assert list(dict.fromkeys(package.build(run, out))) == ["collecting", "trying", "packing"]
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "made")
    folder = tmp_path / "made" / "model"
    about = json.loads((folder / "labels.json").read_text("utf-8"))
    assert (about["context"], about["lead"], about["between"]) == (1, 1, [3])
    command = [sys.executable, "-I", str(folder / "predict.py")]

    def said(*words):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True, cwd="/")
        return json.loads(done.stdout)

    mine, other, alone = (
        said("and the staff", "the soup was good"),
        said("and the staff", "the soup was bad"),
        said("and the staff"),
    )
    assert mine != other
    assert alone not in (mine, other)
    assert said("and the staff", "the soup was bad", "the soup was good") == mine, "only the nearest one is read"
