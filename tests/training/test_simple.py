"""The dashed lines of a chart: simple models, scored on the rows that the tuned model's curve is scored on."""

from __future__ import annotations

from tiny_training import machine, reviews, save_encoder, save_rows

from studio.evaluation import baseline
from studio.evaluation.metrics import score
from studio.events import Baseline, Note
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.assemble import assemble
from studio.training.rows import Inputs, read_table, scored_places
from studio.training.simple import Simple
from studio.words import say

TASK = tasks.get("classification")


def made(tmp_path, count=300):
    rows = reviews(count)
    rows[0]["label"] = "seen once"
    data = save_rows(tmp_path / "data", rows)
    columns = {"text": "text", "label": "label"}
    spec = Spec("d-1", columns, "classification", "local:tiny", "head", options={"training": {"epochs": 1.0}})
    table, _ = read_table(tmp_path, spec, TASK, data)
    return spec, data, table


def told(tmp_path, spec, table):
    simple = Simple(tmp_path, TASK, table, TASK.facts(table.part("train"), TASK.Options()), spec.seed)
    simple.start()
    found = []
    simple.wait(found.append, None)
    assert simple.fault == "-"
    return simple, found


def test_lines_and_curve_are_scored_on_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(type(TASK.kind), "validation_rows", 20)
    spec, data, table = made(tmp_path)
    # A validation row whose label no training row has: the curve leaves it out, and so do the lines.
    table.rows[table.split["validation"][0]]["label"] = "never learnt"
    simple, found = told(tmp_path, spec, table)
    inputs = Inputs(data, save_encoder(tmp_path / "model"), machine())
    curve = assemble(tmp_path, spec, inputs, table, lambda done, total: None).validation_rows
    assert 0 < len(curve) <= len(scored_places(table.split["validation"], TASK, spec.seed)) == 20
    assert simple._judged() == curve
    for line in (event for event in found if isinstance(event, Baseline)):
        answers = simple.models[line.key].predict([row["text"] for row in curve])
        assert line.score == score("labels", answers, [row["label"] for row in curve], simple.facts)["macro_f1"]
    assert not [event for event in found if isinstance(event, Note)]


def test_lines_of_models_that_saw_fewer_rows_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(baseline, "MOST_ROWS", 50)
    spec, _, table = made(tmp_path)
    _, found = told(tmp_path, spec, table)
    (note,) = [event for event in found if isinstance(event, Note)]
    assert note == Note("timeline.simple_fewer", {"rows": 50, "rules": 50, "total": len(table.split["train"])})
    for language in ("en", "zh"):
        assert str(len(table.split["train"])) in say(note.code, language, **note.values)
