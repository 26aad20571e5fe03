"""Pairs of texts, from a file to answers that stand alone: scores with a search over the rows, and labels."""

from __future__ import annotations

import json
import random
import runpy
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_training import BAD, GOOD, PLAIN, machine, save_encoder, save_rows

from studio.errors import UserError
from studio.inference import package, search
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.training.run import Inputs, train_run

sys.path.append(str(Path(__file__).parents[1] / "models"))
from tiny_models import decoder_folder  # noqa: E402

HARD = {"epochs": 8, "learning_rate": 2e-3, "evaluations": 3, "max_length": 48}
PAIR = {"first": "one", "second": "two"}
ASKED = {"first": "the soup was good", "second": "a bed that was bad"}


def sided(dice, mood):
    words = dice.choices(PLAIN, k=5) + dice.choices(GOOD if mood else BAD, k=2)
    dice.shuffle(words)
    return " ".join(words)


def rows_of(count, seed=0):
    """Two texts that are alike when both praise or both blame, whatever words they do it with."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        one, other = dice.random() < 0.5, dice.random() < 0.5
        score = (4.5 if one == other else 0.5) + dice.uniform(-0.5, 0.5)
        label = "same" if one == other else "other"
        rows.append({"one": sided(dice, one), "two": sided(dice, other), "score": f"{score:.1f}", "label": label})
    return rows


def train(place, task, method="full", rows=240, **options):
    columns = {**PAIR, "score": "score"} if task == "similarity" else {**PAIR, "label": "label"}
    spec = Spec("d-1", columns, task, "local:tiny", method, options={"training": {**HARD, **options}})
    folder, told = place / task / method / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    base = place / "model"
    inputs = Inputs(save_rows(place / "data", rows_of(rows)), base if base.exists() else save_encoder(base), machine())
    train_run(folder, spec, inputs, told.append, lambda: None)
    return folder, told


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module")
def scored(place):
    return train(place, "similarity")


@pytest.fixture(scope="module")
def labelled(place):
    return train(place, "pair_classification", head_learning_rate=1e-2, epochs=14)


def test_scores_from_rows_to_the_report(scored):
    folder, told = scored
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert told[-1].metric == "spearman"
    assert [rung["key"] for rung in report["ladder"]] == ["overlap", "cosine", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > max(scores["overlap"], scores["cosine"]) + 0.2
    assert set(report["test"]) == {"spearman", "pearson", "mae", "rmse"}
    assert report["test"]["mae"] < 1.6
    assert set(report["untuned"]) == {"slope", "offset"}
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert set(lines[0]["asked"]) == {"first", "second"}
    assert len(report["scatter"]["points"]) == report["rows"]
    assert any(report["mistakes"])


def test_what_the_encoder_said_before_is_on_the_same_scale(scored):
    from studio.inference.loading import make_pool
    from studio.workspace import Workspace

    folder = scored[0]
    pool = make_pool(Workspace.open(folder.parents[2]))
    (found,) = answerers.get("similarity").before(folder, pool, [ASKED], {})
    line = json.loads((folder / "report.json").read_text("utf-8"))["untuned"]
    (answer,) = found["predictions"]
    assert found["key"] == "cosine"
    assert answer["score"] == pytest.approx(line["slope"] * answer["cosine"] + line["offset"])
    assert -1 < answer["score"] < 6
    tuned = Predictor.load(folder).predict([ASKED])[0]
    assert abs(tuned["cosine"] - answer["cosine"]) > 0.01
    cells = answerers.get("similarity").cells(tuned)
    assert list(cells) == ["predicted_score", "cosine"]


def test_the_nearest_rows_are_those_of_one_mind(scored, place, monkeypatch):
    folder, data = scored[0], place / "data" / "rows.parquet"
    predictor = Predictor.load(folder)
    steps = list(search.searching(predictor, folder, data, "a good soup and lovely fresh staff", 8))
    assert len(steps) > 3
    assert all(answer is None for _, _, answer in steps[:-1])
    found = steps[-1][2]
    rows = rows_of(240)
    texts = {row[name] for row in rows for name in ("one", "two")}
    assert (found["texts"], found["total"], len(found["hits"])) == (len(texts), len(texts), 8)
    for hit in found["hits"]:
        assert rows[hit["row"] - 1][{"first": "one", "second": "two"}[hit["role"]]] == hit["text"]
        assert any(word in hit["text"].split() for word in GOOD)
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    # A hit's score is what the pair would get.
    asked = {"first": "a good soup and lovely fresh staff", "second": found["hits"][0]["text"]}
    assert predictor.predict([asked])[0]["score"] == pytest.approx(scores[0], abs=0.02)
    # The second search reads nothing but what was typed.
    again = list(search.searching(predictor, folder, data, "bad and rude", 3))
    assert len(again) == 1
    assert all(any(word in hit["text"].split() for word in BAD) for hit in again[0][2]["hits"])
    # A model that was tuned anew knows other vectors.
    assert search.kept(folder / search.FILE, "another stamp") is None
    monkeypatch.setattr(search, "MOST_TEXTS", 50)
    part = list(search.searching(predictor, folder, data, "good", 3))[-1][2]
    assert (part["texts"], part["total"]) == (50, len(texts))


def test_vectors_have_one_length_whatever_the_text(scored):
    predictor = Predictor.load(scored[0])
    made = [found for _, found in search.embed(predictor, ["the soup", "", "你好"]) if found is not None][0]
    assert np.linalg.norm(made, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_model_without_a_space_or_data_without_texts_has_nothing_to_search(labelled, scored, tmp_path):
    data = save_rows(tmp_path, [{"one": " ", "two": None}]) / "rows.parquet"
    for folder in (labelled[0], scored[0]):
        with pytest.raises(UserError) as caught:
            list(search.searching(Predictor.load(folder), folder, data, "good", 3))
        assert caught.value.code == "search_none"
    with pytest.raises(UserError) as caught:
        search.rows_in(tmp_path / "gone.parquet", PAIR)
    assert caught.value.code == "predict_file_unreadable"


def test_labels_from_rows_to_the_report(labelled):
    folder, told = labelled
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert told[-1].metric == "macro_f1"
    # What a label is called says nothing of two texts: there is no untuned guess.
    assert [rung["key"] for rung in report["ladder"]] == ["majority", "rules", "tfidf", "pair_overlap", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > scores["majority"] + 0.1
    assert [entry["label"] for entry in report["classes"]] == ["other", "same"]
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert set(lines[0]["asked"]) == {"first", "second"}
    assert answerers.get("labels").before(folder, None, [ASKED], {}) == []


@pytest.mark.parametrize("which", ["tuned", "simple"])
def test_the_downloads_answer_alike(scored, labelled, tmp_path, which):
    for number, folder in enumerate((scored[0], labelled[0])):
        place = tmp_path / str(number)
        place.mkdir()
        list(package.build(folder, place / "out.zip", "zh", which))
        with zipfile.ZipFile(place / "out.zip") as archive:
            archive.extractall(place)
        made = runpy.run_path(str(place / "model" / "predict.py"))
        mine = Predictor.load(folder) if which == "tuned" else Predictor.load_simple(folder, made["about"]["key"])
        answer = mine.predict([ASKED])[0]
        if number:
            assert made["predict"](ASKED) == pytest.approx(answer["scores"], abs=1e-4)
        else:
            assert made["predict"](*ASKED.values()) == pytest.approx(answer["score"], abs=1e-3)


@pytest.mark.parametrize("method", ["lora", "head", "last_layers"])
@pytest.mark.parametrize("task", ["similarity", "pair_classification"])
def test_other_methods_come_back_as_they_were_trained(place, task, method):
    """The report is made from the saved model, after its answers were found equal to the trained one's."""
    folder, told = train(place, task, method, rows=90, epochs=2)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert report["model"] == "tuned"
    told_so = [event for event in told if getattr(event, "code", "") == "timeline.reloaded"]
    assert [event.values["rows"] > 0 for event in told_so] == [True]
    assert float(told_so[0].values["gap"]) < 1e-3
    assert report["task"] == task


ZH = {"好": "很好 干净 热情 美味 推荐".split(), "差": "太差 很脏 冷淡 难吃 失望".split()}


@pytest.mark.parametrize("task", ["regression", "similarity", "pair_classification"])
def test_chinese_is_learnt_and_saved_by_a_model_of_bytes(tmp_path, task):
    """A decoder without any mark between two texts: the other way of pooling, and of telling them apart."""
    dice, rows = random.Random(1), []
    for _ in range(70):
        one, other = dice.choice("好差"), dice.choice("好差")
        texts = ["这家店" + dice.choice(ZH[mood]) + "，" + dice.choice(ZH[mood]) for mood in (one, other)]
        score = "４．５" if one == other else "0,5"
        label = "一致" if one == other else "不同"
        rows.append({"one": texts[0], "two": texts[1], "score": score, "label": label})
    columns = {
        "regression": {"text": "one", "number": "score"},
        "similarity": {**PAIR, "score": "score"},
        "pair_classification": {**PAIR, "label": "label"},
    }[task]
    spec = Spec("d-1", columns, task, "local:bytes", "full", options={"training": {**HARD, "epochs": 2}})
    folder, told = tmp_path / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json(), ensure_ascii=False))
    base = decoder_folder(tmp_path / "base")
    train_run(folder, spec, Inputs(save_rows(tmp_path / "data", rows), base, machine()), told.append, lambda: None)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert [rung["key"] for rung in report["ladder"]][-1] == "tuned"
    (gap,) = [event.values["gap"] for event in told if getattr(event, "code", "") == "timeline.reloaded"]
    assert float(gap) < 1e-3
    list(package.build(folder, tmp_path / "out.zip", "zh", "tuned"))
    if task == "similarity":
        found = list(search.searching(Predictor.load(folder), folder, tmp_path / "data" / "rows.parquet", "干净", 3))
        assert all("这家店" in hit["text"] for hit in found[-1][2]["hits"])
