"""The routes for a corrected row, for data sets of the hub, and a run's answers that become data."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.data.importing import import_file
from studio.data.roles import suggest
from studio.data.store import DataVersion, find_version, read_rows
from studio.data.use import Use, saved_use
from studio.errors import UserError
from studio.web.correcting import shown_editing
from studio.web.tabs import answerfile
from studio.web.tabs.dataview import origin_line
from studio.words import say

USE = {"task": "ner", "columns": {"text": "text", "entities": "entities"}}


@pytest.fixture(scope="module")
def version(site, tmp_path_factory) -> DataVersion:
    file: Path = tmp_path_factory.mktemp("correcting") / "people.jsonl"
    rows = [{"text": f"Ann {n} lives in Ulm", "entities": [{"start": 0, "end": 3, "type": "person"}] if n % 5 else []} for n in range(20)]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_file(site[0].workspace, "local", file, "people.jsonl")


def test_a_row_is_opened_corrected_and_saved_as_a_step(analyst, version):
    address = f"/api/data/{version.version}/row"
    told = analyst.post(address, json={**USE, "row": 2}).json()
    assert told["marks"] == [[0, 3, "person"]]
    made = analyst.post(address + "/write", json={**USE, "row": 2, "marks": [[0, 3, "robot"]]}).json()
    refused = analyst.post(address + "/write?lang=zh", json={**USE, "row": 2, "marks": [[0, 99, "robot"]]})
    assert refused.status_code == 400
    assert "标注了第 0 到 99 个字符，但文本只有" in refused.json()["text"]
    options = {"edits": [["2:entities", made["cells"]["entities"]]], "task": "ner", "roles": list(USE["columns"].items())}  # fmt: skip
    mend = f"/api/data/{version.version}/mend"
    last = analyst.post(mend, json={"steps": [{"step": "set_cells", "options": options}]}).text.splitlines()[-1]
    assert "robot" in json.loads(last)["text"], "nobody has said that the new type is meant"
    sure = {**options, "fresh": ["robot"]}
    last = analyst.post(mend, json={"steps": [{"step": "set_cells", "options": sure}]}).text.splitlines()[-1]
    shown = analyst.get(f"/api/data/{json.loads(last)['data']}/versions").json()
    assert "New names: robot" in shown["steps"][0]["about"]
    assert "ner" not in shown["steps"][0]["about"].split(" · ")


@pytest.mark.parametrize("sent", [{"row": 0}, {"row": "2"}, {"row": True}, {}, {"row": 2, "cells": {"text": 1}}])
def test_no_row_at_all_is_refused(analyst, version, sent: dict[str, Any]):
    assert analyst.post(f"/api/data/{version.version}/row", json={**USE, **sent}).status_code == 400


def test_the_grid_knows_how_rows_are_corrected(version):
    assert shown_editing(version, Use("ner", USE["columns"])) == {"kind": "parts", "text": "text", "columns": ["entities"]}  # fmt: skip
    label = shown_editing(version, Use("classification", {"text": "entities", "label": "text"}))
    assert label is not None
    assert (label["kind"], len(label["choices"])) == ("label", 20)
    columns = {"question": "text", "context": "text", "answers": "entities"}
    assert shown_editing(version, Use("qa", columns)) == {"kind": "answer", "text": "text", "columns": ["entities"]}
    for use in (Use(), Use("ner", {"text": "text"}), Use("regression", {"text": "text", "number": "entities"})):
        assert shown_editing(version, use) is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"name": "no id"}, "set_id"),
        ({"name": 3}, "request_unreadable"),
        ({"name": "org/x", "token": "a b"}, "token_unreadable"),
        ({"name": "org/x"}, "set_offline"),
    ],
)
def test_a_data_set_of_the_hub_is_refused_in_words(analyst, sent: dict[str, Any], code: str):
    reply = analyst.post("/api/data/hub/look", json=sent)
    assert reply.status_code == 400
    assert reply.json()["parts"][1] in say(f"error.{code}", "en", value="no id", name="org/x", limit=0)


def test_answers_of_a_run_become_data_to_correct(workspace, tmp_path):
    answers = tmp_path / "mails-answers.jsonl"
    rows = [
        {"id": str(n), "mail": f"mail {n}", "predicted_label": "yes" if n % 2 else "no", "confidence": 0.5 + n / 100, "probability_yes": 0.1}
        for n in range(20)
    ]  # fmt: skip
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    view = SimpleNamespace(name="kettles", task="classification")
    page: Any = SimpleNamespace(
        workspace=workspace,
        desk=SimpleNamespace(get=lambda run: view),
        t=lambda code, **values: say(code, "en", **values),
    )
    columns = {"text": "mail", "label": "predicted_label"}
    found = answerfile.Answered("r-1", "mails.csv", answers, ("id", "mail"), columns)
    made = find_version(workspace, answerfile.to_correct(page, found, "ann"))
    assert made.columns == ("id", "mail", "predicted_label", "confidence"), "a probability a label helps nobody here"
    assert made.name == "Answers to mails.csv"
    assert saved_use(workspace, "ann", made.version) == Use("classification", columns)
    assert read_rows(made, {"label": "predicted_label"}, [1]) == [{"label": "yes"}]
    assert origin_line(page, made) == "Answers of the run 'kettles' to mails.csv, to be corrected here."
    assert suggest(made).task == "classification"
    assert list(workspace.temporary.iterdir()) == []
    answers.unlink()
    for gone in (None, found):
        with pytest.raises(UserError) as caught:
            answerfile.to_correct(page, gone, "ann")
        assert caught.value.code == "answers_gone"
