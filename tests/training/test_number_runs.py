"""Regression on text, from a file to answers that stand alone: in the unit of the data, in any script."""

from __future__ import annotations

import json
import random
import runpy
import zipfile

import pytest
from tiny_training import BAD, GOOD, PLAIN, machine, save_encoder, save_rows

from studio.evaluation.kinds.base import judges
from studio.inference import package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run

TASK = tasks.get("regression")
COLUMNS = {"text": "text", "number": "price"}
HARD = {"epochs": 10, "learning_rate": 1e-3, "head_learning_rate": 1e-3, "evaluations": 3, "max_length": 32}


def rows_of(count, seed=0):
    """A price in the hundreds that rises with every good word and falls with every bad one."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        ups, downs = dice.randint(0, 3), dice.randint(0, 3)
        words = dice.choices(PLAIN, k=8 - ups - downs) + dice.choices(GOOD, k=ups) + dice.choices(BAD, k=downs)
        dice.shuffle(words)
        rows.append({"text": " ".join(words), "price": f"{500 + 50 * (ups - downs)}"})
    return rows


def train(place, method, rows, **options):
    spec = Spec("d-1", COLUMNS, "regression", "local:tiny", method, options={"training": {**HARD, **options}})
    folder, told = place / method / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    base = place / "model"
    inputs = Inputs(save_rows(place / "data", rows), base if base.exists() else save_encoder(base), machine())
    train_run(folder, spec, inputs, told.append, lambda: None)
    return folder, told


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("numbers")


@pytest.fixture(scope="module")
def run(place):
    return train(place, "full", rows_of(200))


def test_from_rows_to_the_report(run):
    folder, told = run
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert (told[-1].metric, report["lower_is_better"], report["main_metric"]) == ("rmse", True, "rmse")
    assert [rung["key"] for rung in report["ladder"]] == ["mean", "ridge", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    # In the unit of the data: a spread of about 75, of which little is left.
    assert 50 < scores["mean"] < 110
    assert scores["tuned"] < 0.65 * scores["mean"]
    assert set(report["test"]) == {"rmse", "mae", "pearson", "spearman"}
    assert report["test"]["pearson"] > 0.75
    assert all(low <= report["test"][name] <= high for name, (low, high) in report["interval"].items())
    facts = json.loads((folder / "model" / "facts.json").read_text("utf-8"))
    assert 450 < facts["mean"] < 550
    assert (report["scatter"]["low"], report["scatter"]["high"]) == (facts["low"], facts["high"])
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == report["rows"] == len(report["scatter"]["points"])
    for (truth, said, row), entry in zip(report["scatter"]["points"], lines, strict=True):
        assert entry["row"] == row
        assert entry["truth"] == f"{truth:g}"
        assert entry["error"] == pytest.approx(said - truth, abs=1e-3)
    worst = sorted((line["wrong"] for line in lines if line["wrong"]), reverse=True)
    assert [entry["row"] for entry in report["mistakes"]][:1] == [
        line["row"] for line in lines if worst and line["wrong"] == worst[0]
    ][:1]
    samples = [event for event in told if type(event).__name__ == "Sample"]
    assert samples
    assert all(row["right"] is None and float(row["answer"]) for row in samples[-1].rows)


def test_the_head_stands_right_before_the_first_step(run):
    told = run[1]
    evals = [event for event in told if type(event).__name__ == "Eval"]
    assert evals[0].metrics["rmse"] < 65


def test_answers_have_the_range_seen_and_fill_a_file(run):
    predictor = Predictor.load(run[0])
    good, bad = predictor.predict(["the soup was good great fine", "the soup was bad awful cold"])
    assert good["score"] > 550 > 450 > bad["score"]
    assert (good["low"], good["high"]) == (predictor.facts["low"], predictor.facts["high"])
    assert answerers.get("score").cells(good) == {"predicted_number": round(good["score"], good["digits"] + 4)}
    assert judges.get("score").shown(good) == f"{good['score']:.0f}"


@pytest.mark.parametrize("which", ["tuned", "simple"])
def test_the_download_answers_alike(run, tmp_path, which):
    folder = run[0]
    list(package.build(folder, tmp_path / "out.zip", "en", which))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path)
    made = runpy.run_path(str(tmp_path / "model" / "predict.py"))
    text = "a good bed and a bad soup " * (1 if which == "simple" else 12) + "it was cold"  # in windows
    mine = Predictor.load(folder) if which == "tuned" else Predictor.load_simple(folder, made["about"]["key"])
    assert made["predict"](text) == pytest.approx(mine.predict([text])[0]["score"], rel=1e-4)


@pytest.mark.parametrize("method", ["lora", "head"])
def test_other_methods_learn_it_too(place, method):
    folder, _ = train(place, method, rows_of(120), epochs=4)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] < scores["mean"]


def test_simple_models_alone_learn_chinese(tmp_path):
    dice, rows = random.Random(3), []
    for _ in range(120):
        ups, downs = dice.randint(0, 3), dice.randint(0, 3)
        words = dice.choices("好棒喜", k=ups) + dice.choices("差坏糟", k=downs) + dice.choices("房间的早餐在", k=4)
        dice.shuffle(words)
        rows.append({"text": "".join(words), "price": f"{3 + (ups - downs) / 2:.1f}"})
    spec = Spec("d-1", COLUMNS, "regression", "", "baseline")
    (tmp_path / "run").mkdir()
    inputs = Inputs(save_rows(tmp_path / "data", rows), None, machine())
    train_run(tmp_path / "run", spec, inputs, [].append, lambda: None)
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["model"] == "ridge"
    assert report["verdict"]["code"] == "verdict.error.simple"
    assert report["test"]["pearson"] > 0.7
