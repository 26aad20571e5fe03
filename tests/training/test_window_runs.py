"""Rows read in several windows, and items that hold more than ids: what every loop passes on."""

from __future__ import annotations

import json

from tiny_training import machine, reviews, save_encoder, save_rows

from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.tasks.classification import Classification
from studio.training.batching import ListItems, collate, combined, owners
from studio.training.encoding import labelled
from studio.training.run import Inputs, train_run

WIDTH = 4


class Windowed(Classification):
    """Classification in windows of a few tokens; a row's answer is the mean of its windows'."""

    key = "windowed"

    def encode(self, rows, tokenizer, facts, max_length):
        items = []
        for place, item in enumerate(super().encode(rows, tokenizer, facts, max_length)):
            ids = item["input_ids"]
            for start in range(0, len(ids), WIDTH):
                part = {"input_ids": ids[start : start + WIDTH], "row": place, "starts": [start] * WIDTH}
                part["starts"] = part["starts"][: len(part["input_ids"])]
                items.append({**part, **({"labels": item["labels"]} if "labels" in item else {})})
        return items

    def read(self, model, batch, facts):
        assert batch["starts"].shape == batch["input_ids"].shape
        return super().read(model, {name: part for name, part in batch.items() if name != "starts"}, facts)

    def loss(self, model, batch, options):
        return super().loss(model, {name: part for name, part in batch.items() if name != "starts"}, options)

    def combine(self, windows, row, facts):
        scores = {label: sum(one["scores"][label] for one in windows) / len(windows) for label in facts["labels"]}
        return {"label": max(scores, key=scores.get), "scores": scores, "windows": len(windows)}


def test_a_run_in_windows_is_judged_by_rows(tmp_path, monkeypatch):
    tasks.keys()
    monkeypatch.setitem(tasks._members, "windowed", Windowed())
    rows = reviews(90)
    spec = Spec(
        data="d-1",
        columns={"text": "text", "label": "label"},
        task="windowed",
        model="local:tiny",
        method="full",
        options={"training": {"epochs": 2, "evaluations": 2, "batch_size": 16, "max_length": 64}},
    )
    run, told = tmp_path / "run", []
    run.mkdir()
    inputs = Inputs(save_rows(tmp_path / "data", rows), save_encoder(tmp_path / "model"), machine())
    train_run(run, spec, inputs, told.append, lambda: None)
    split = json.loads((run / "split.json").read_text("utf-8"))
    report = json.loads((run / "report.json").read_text("utf-8"))
    assert report["rows"] == len(split["test"])
    assert report["ladder"][-1]["key"] == "tuned"
    predictor = Predictor.load(run)
    long, short = predictor.predict([" ".join(["good"] * 20), "bad"])
    assert (long["windows"], short["windows"]) == (6, 1)


def test_items_keep_all_they_hold():
    items = [
        {"input_ids": [5, 6, 7], "token_type_ids": [0, 1, 1], "words": [0, 0, 1], "labels": [1.0, 0.0], "row": 3},
        {"input_ids": [8], "token_type_ids": [0], "words": [4], "labels": [0.0, 1.0], "row": 4},
    ]
    batch = collate(items, 9, "cpu", {"words": -1})
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["token_type_ids"].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert batch["words"].tolist() == [[0, 0, 1], [4, -1, -1]]
    assert batch["labels"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert "row" not in batch
    scores = collate([{"input_ids": [1], "labels": 2.5}, {"input_ids": [1], "labels": 1.0}], 0, "cpu")
    assert scores["labels"].tolist() == [2.5, 1.0]


def test_rows_without_anything_to_learn_leave_with_all_their_windows():
    task = Classification()
    items = ListItems(
        [
            {"input_ids": [1], "row": 0},
            {"input_ids": [2], "row": 1},
            {"input_ids": [3], "row": 1, "labels": 0},
            {"input_ids": [4], "row": 2, "labels": 1},
        ]
    )
    learnt, gone = labelled(items, task)
    assert (gone, learnt.rows.tolist(), learnt.lengths.tolist()) == ([0], [1, 2], [1, 1])
    judged, gone = labelled(items, task, whole=True)
    assert (gone, judged.rows.tolist()) == ([0], [0, 0, 1])
    assert [item["input_ids"] for item in judged.take([0, 1, 2])] == [[2], [3], [4]]


def test_windows_come_together_in_their_order():
    items = [{"row": 0}, {"row": 0}, {"row": 1}]
    found = [
        {"label": label, "scores": {"a": share, "b": 1 - share}}
        for label, share in zip("aab", (1, 0.5, 0), strict=True)
    ]
    whole = combined(Windowed(), [{}, {}], owners(items), found, {"labels": ["a", "b"]})
    assert [(one["label"], one["windows"]) for one in whole] == [("a", 2), ("b", 1)]
    assert combined(Classification(), [{}], [0], found[:1], {}) == found[:1]
