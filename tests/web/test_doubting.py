"""The routes for labels that look wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.web.doubting import run_for, shown_doubts

USE = {"task": "classification", "columns": {"text": "text", "label": "label"}, "split": {}}


@pytest.fixture(scope="module")
def version(site, tmp_path_factory) -> DataVersion:
    file: Path = tmp_path_factory.mktemp("doubts") / "kettles.csv"
    rows = [f"the kettle number {n} boils water,kettle" for n in range(40)] + [f"a red scarf number {n} of wool,scarf" for n in range(40)]  # fmt: skip
    file.write_text("\n".join(["text,label", *rows, "a soft scarf of wool,kettle"]))
    return import_file(site[0].workspace, "local", file, "kettles.csv")


def test_rows_are_suggested_and_turned_down(analyst, version):
    address = f"/api/data/{version.version}/doubts"
    told = [json.loads(line) for line in analyst.post(address, json=USE).text.splitlines()]
    answer = told[-1]
    assert [(one["row"], one["label"], one["suggested"]) for one in answer["doubts"]] == [(81, "kettle", "scarf")]
    assert answer["line"].startswith("Rows that look mislabelled: 1 of 81 judged.")
    assert "TF-IDF" in answer["title"]
    assert [line["told"] for line in told[:-1]], "it says how far it is"
    chinese = json.loads(analyst.post(address + "?lang=zh", json=USE).text.splitlines()[-1])
    assert "其中 1 行像是标错了" in chinese["line"]
    assert analyst.post(address + "/reject", json={**USE, "row": 81}).json() == {"ok": True}
    assert json.loads(analyst.post(address, json=USE).text.splitlines()[-1])["doubts"] == []


@pytest.mark.parametrize("row", [0, 82, "81", None, True])
def test_no_row_of_the_data(analyst, version, row):
    reply = analyst.post(f"/api/data/{version.version}/doubts/reject", json={**USE, "row": row})
    assert reply.status_code == 400


def test_only_a_run_on_this_version_counts(site, version):
    use = Use("classification", {"text": "text", "label": "label"})
    assert run_for(site[0], version, use) is None
    shown = shown_doubts(site[0], version, use, "en")
    assert shown is not None
    assert shown["title"].endswith("After a training on this version its test answers count too.")
    assert shown_doubts(site[0], version, Use("translation", {"source": "text", "target": "label"}), "en") is None
    assert shown_doubts(site[0], version, Use("classification"), "en") is None
