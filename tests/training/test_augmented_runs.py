"""Runs that learn from altered copies as well: the plan tells the steps they really take, and the same run without them
is compared on the same test rows. With labels, and with named entities whose places move."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tiny_training import machine, reviews, save_encoder, save_rows

from studio.data import spans
from studio.evaluation.paired import compared
from studio.events import Done, Note, Plan, Step
from studio.runs.techniques import technique
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run

OPTIONS = {"epochs": 2.0, "learning_rate": 3e-3, "head_learning_rate": 2e-2, "evaluations": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("model") / "tiny-encoder")


def trained(folder: Path, spec: Spec, data: Path, encoder: Path) -> tuple[int, int, list[Note]]:
    """(steps the plan's decision told, steps that were made, notes of copies)."""
    folder.mkdir()
    told: list = []
    train_run(folder, spec, Inputs(data, encoder, machine()), told.append, lambda: None)
    assert isinstance(told[-1], Done)
    (plan,) = [event for event in told if isinstance(event, Plan)]
    planned = next(one["values"]["steps"] for one in plan.decisions if one["name"] == "epochs")
    made = [event for event in told if isinstance(event, Step)][-1].step
    assert made == plan.steps
    return planned, made, [event for event in told if getattr(event, "code", "") == "timeline.augmented"]


def test_with_and_without_are_planned_right_and_compared(tmp_path: Path, encoder: Path):
    rows = [{"text": f"{row['text']} {number}", "label": row["label"]} for number, row in enumerate(reviews(120))]
    data = save_rows(tmp_path / "data", rows)
    columns = {"text": "text", "label": "label"}
    asked = {**OPTIONS, "augment": "swap", "augment_copies": 2}
    spec = Spec("d-1", columns, "classification", "local:tiny", "full", options={"training": asked})
    one = technique("augment")
    plain = dataclasses.replace(spec, options={"training": {**asked, one.option: one.off(tasks.get(spec.task))}})
    with_copies = trained(tmp_path / "with", spec, data, encoder)
    without = trained(tmp_path / "without", plain, data, encoder)
    assert without[:2] == (22, 22)
    assert with_copies[:2] == (64, 64)
    assert with_copies[2][0].values["rows"] == 168
    assert not without[2]
    found = compared(tmp_path / "with", tmp_path / "without")
    assert found is not None
    assert found["rows"] == 18
    assert found["low"] <= found["value"] <= found["high"]


def test_named_entities_are_learnt_from_copies_too(tmp_path: Path, encoder: Path):
    rows = []
    for number, row in enumerate(reviews(100)):
        text = f"{row['text']} at Lisbon {number} with good staff"
        start = text.index("Lisbon")
        rows.append({"text": text, "entities": spans.write(text, [spans.Entity(start, start + 6, "place")])})
    data = save_rows(tmp_path / "data", rows)
    columns = {"text": "text", "entities": "entities"}
    asked = {**OPTIONS, "augment": "mixed"}
    spec = Spec("d-1", columns, "ner", "local:tiny", "full", options={"training": asked})
    planned, made, notes = trained(tmp_path / "run", spec, data, encoder)
    assert planned == made == 36
    assert notes[0].values["rows"] == 70
    assert json.loads((tmp_path / "run" / "report.json").read_text())["result"] == "tags"
