"""The routes for how a model reads the data: lengths in its tokens, and one text as it is cut."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny_models

from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.words import say

MODEL = "hub:org/tiny"
USE = {"task": "classification", "columns": {"text": "text", "label": "label"}, "split": {}}


@pytest.fixture(scope="module")
def version(site, tmp_path_factory) -> DataVersion:
    file: Path = tmp_path_factory.mktemp("reading") / "rooms.csv"
    rows = [f"{'the room was clean ' * (40 if n < 4 else 1)}{n},{'good' if n % 2 else 'bad'}" for n in range(60)]
    file.write_text("\n".join(["text,label", *rows]))
    return import_file(site[0].workspace, "local", file, "rooms.csv")


def test_without_a_model_on_this_machine_it_says_so(analyst, version):
    told = analyst.post(f"/api/data/{version.version}/tokens?lang=zh", json=USE).json()
    assert told == {"models": [], "line": say("web.tokens.none", "zh")}
    refused = analyst.post("/api/pieces", json={"model": MODEL, "text": "the room"})
    assert refused.status_code == 400
    assert analyst.post("/api/pieces", json={"model": MODEL, "text": 3}).status_code == 400


def test_lengths_are_told_in_tokens_with_the_cut_off(site, analyst, version):
    tiny_models.encoder_folder(site[0].workspace.models / "hub--org--tiny")
    told = analyst.post(f"/api/data/{version.version}/tokens", json=USE).json()
    assert [model for model, _ in told["models"]] == [MODEL]
    assert told["model"] == MODEL
    assert sum(count for _, _, count in told["bins"]) == 60
    assert 0 < told["cut"] <= 64, "the tiny model has 64 places"
    # Two digits, which it does not know, are one word; the marks at both ends count.
    assert told["line"].startswith("Half of the rows have at most 7 tokens, the longest has 163 (rows looked at: 60).")
    assert "about 7 % of the rows are longer" in told["line"]
    assert told["text"].startswith("the room was clean")


def test_a_text_is_shown_as_it_is_cut(analyst):
    told = analyst.post("/api/pieces", json={"model": MODEL, "text": "the room 北京"}).json()
    assert [piece[:4] for piece in told["pieces"]] == [
        ["", "[CLS]", True, True],
        ["the", "the", False, True],
        ["room", "room", False, True],
        ["北", "[UNK]", False, False],
        ["京", "[UNK]", False, False],
        ["", "[SEP]", True, True],
    ]
    assert told["words"] == ["the", "room", "北京"]
    assert told["line"] == "Tokens: 6, of which the model does not know 2."
