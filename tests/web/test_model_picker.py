"""The model picker of the Train tab: what is not here says so, the hub is searched, what it refuses starts no run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.errors import UserError
from studio.hardware import Hardware
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.web.context import Page
from studio.web.tabs.modelview import look_first, model_choices, searched, shown_card

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
from web_stand_in import serving

TOLD = {
    "config": {"model_type": "bert"},
    "safetensors": {"parameters": {"F32": 110_000_000}, "total": 110_000_000},
    "cardData": {"license": "mit", "language": "zh"},
    "downloads": 7,
    "gated": False,
}


@pytest.fixture
def web(monkeypatch):
    with serving() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield stand_in


@pytest.fixture
def page(workspace, monkeypatch):
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    monkeypatch.setattr(hardware, "read_or_probe", lambda workspace: record)
    desk = Desk(workspace)
    yield Page(desk, InferenceClient(workspace), "en")
    desk.close()


@pytest.fixture
def data(workspace, tmp_path):
    file = tmp_path / "animals.csv"
    file.write_text("text,label\n" + "\n".join(f"message {n} of pets,{n % 2}" for n in range(60)))
    return import_file(workspace, "local", file, file.name)


USE = Use("classification", {"text": "text", "label": "label"})


def test_the_picker_offers_hub_models_after_the_starters_and_says_they_are_not_here(page):
    choices = {key: title for title, key in model_choices(page, "classification")}
    assert next(iter(choices)) == "starter:minilm"
    assert choices["hub:google-bert/bert-base-chinese"] == (
        "google-bert/bert-base-chinese (103 M parameters, not on this disk, 412 MB)"
    )
    gemma = {key: title for title, key in model_choices(page, "chat")}["hub:google/gemma-3-270m-it"]
    assert "terms to accept first" in gemma


def test_a_search_that_finds_and_one_that_does_not(page, web):
    web.about["org/bert-pets"] = TOLD
    (line,) = searched(page, "classification", "pets")["models"]
    assert (line["id"], line["size"], line["download"]) == ("hub:org/bert-pets", "110 M parameters", "440 MB")
    assert (line["languages"], line["licence"], line["downloads"]) == ("Chinese", "mit", 7)
    nothing = searched(page, "chat", "pets")
    assert nothing["models"] == []
    assert "'pets'" in nothing["parts"][0]


def test_a_search_while_the_hub_is_switched_off_says_why(page, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = searched(page, "classification", "bert")
    assert len(found["parts"]) == 3
    assert "HF_HUB_OFFLINE" in found["parts"][0]


def test_a_model_the_hub_does_not_have_is_told_by_its_card_and_before_a_start(page, web, data):
    card = shown_card(page, data, USE, "hub:org/absent")
    assert "There is no public model org/absent" in card["note"]
    with pytest.raises(UserError, match="There is no public model org/absent"):
        look_first(page, "hub:org/absent")


def test_a_known_model_has_its_card_without_asking_the_hub(page, web, data):
    card = shown_card(page, data, USE, "hub:FacebookAI/xlm-roberta-base")
    assert (card["size"], card["licence"]) == ("279 M parameters", "mit")
    assert card["context"] == "reads up to 512 tokens"
    assert web.asked == []


def test_a_gated_model_that_is_not_here_starts_no_run(page, workspace, data):
    made = draft(workspace, data, use=USE, model="hub:google/gemma-3-270m-it")
    (problem,) = [problem for problem in made.problems if problem.code == "model_gated"]
    assert (problem.severity, problem.field) == ("error", "model")
    for language in ("en", "zh"):
        assert "google/gemma-3-270m-it" in problem.text(language)
