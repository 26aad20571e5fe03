"""Runs with other heads and uneven labels: from rows to the report on the reloaded model and its tuning strength."""

from __future__ import annotations

import json

import pytest
from tiny_training import machine, reviews, save_encoder, save_rows

from studio.events import Done, Note
from studio.inference.predictor import Predictor
from studio.spec import Spec, Split
from studio.training.run import Inputs, train_run

QUICK = {"epochs": 6, "learning_rate": 3e-3, "head_learning_rate": 1e-2, "evaluations": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("heads")
    save_encoder(place / "encoder")
    rows = [row for number, row in enumerate(reviews(160)) if row["label"] == "negative" or number % 6 == 1]
    save_rows(place / "data", rows)
    return place


@pytest.mark.parametrize(("method", "head"), [("head", "cnn"), ("lora", "bilstm")])
def test_a_run_with_another_head(place, method, head):
    run = place / method
    run.mkdir()
    columns = {"text": "text", "label": "label"}
    options = {"training": QUICK, "task": {"head": head, "oversample": 1.0}}
    spec = Spec("d-1", columns, "classification", "local:tiny", method, split=Split(0.2, 0.2, 1), options=options)
    (run / "spec.json").write_text(spec.dumps())
    events = []
    train_run(run, spec, Inputs(place / "data", place / "encoder", machine()), events.append, lambda: None)
    assert isinstance(events[-1], Done)
    notes = {event.code: event.values for event in events if isinstance(event, Note)}
    assert notes["timeline.reloaded"]["rows"] > 0, "the saved model answers like the trained one"
    assert notes["timeline.head_unplaced"] == {"head_code": f"option.task.head_{head}"}
    report = json.loads((run / "report.json").read_text("utf-8"))
    # The commonest label alone would reach about 0.43; the head learns over an encoder drawn at random.
    assert report["test"]["macro_f1"] > 0.6
    strengths = report.get("strength")
    if method == "lora":
        assert strengths[-1] == {"strength": 1.0, "score": report["test"]["macro_f1"]}
    else:
        assert strengths is None
    lines = [json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()]
    again = Predictor.load(run).predict([line["text"] for line in lines])
    for line, answer in zip(lines, again, strict=True):
        assert line["scores"] == pytest.approx(answer["scores"], abs=1e-5)
    planned = json.loads((run / "plan.json").read_text("utf-8"))["options"]
    assert planned["head_learning_rate"] == QUICK["head_learning_rate"]
