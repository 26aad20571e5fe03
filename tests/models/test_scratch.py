"""The model made from scratch: its own rows' words in any writing, the same for the same rows, honest on its card."""

import dataclasses

import pytest
import torch

from studio.hardware import Hardware
from studio.methods.base import methods
from studio.models import scratch
from studio.models.card import read_card
from studio.models.catalogue import card, list_models, resolve
from studio.models.fetch import fetch
from studio.models.load import load_tokenizer
from studio.tasks.base import tasks
from studio.words import has

TEXTS = [f"where is the station number {number}" for number in range(200)] + [
    f"车站在哪里？第{number}号。" for number in range(200)
]
TASK = tasks.get("translation")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return scratch.make(tmp_path_factory.mktemp("scratch") / "base", TEXTS, 7)


def test_its_tokenizer_knows_the_rows_words_and_marks(folder):
    tokenizer = load_tokenizer(folder)
    for text in ("where is the station", "车站在哪里？"):
        ids = tokenizer(text)["input_ids"]
        assert ids[-1] == tokenizer.eos_token_id == 1
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.pad_token_id == 0
    assert len(tokenizer("车站在哪里？")["input_ids"]) < 6
    assert len(tokenizer) <= 8000


def test_it_is_the_same_for_the_same_rows_and_seed(folder, tmp_path):
    again = scratch.make(tmp_path / "again", TEXTS, 7)
    other = scratch.make(tmp_path / "other", TEXTS, 8)
    files = ("model.safetensors", "tokenizer.json")
    assert [(folder / name).read_bytes() == (again / name).read_bytes() for name in files] == [True, True]
    assert [(folder / name).read_bytes() == (other / name).read_bytes() for name in files] == [False, True]
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert scratch.make(folder, ["something else"], 1) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_it_opens_like_any_other_model(folder):
    made = read_card(folder, scratch.SCRATCH_ID)
    assert (made.kind, made.title, made.note) == ("seq2seq", scratch.CARD.title, "note.scratch_seq2seq")
    assert made.vocabulary == len(load_tokenizer(folder))
    model = TASK.load(str(folder), {}, TASK.Options())
    assert sum(part.numel() for part in model.parameters()) >= made.parameters
    same = dataclasses.replace(made, embedding_parameters=0).parameters - made.embedding_parameters
    announced = scratch.CARD.parameters - scratch.CARD.embedding_parameters
    assert announced == pytest.approx(same, rel=0.1)
    ids = torch.tensor([[5, 6, 1]])
    assert torch.isfinite(model(input_ids=ids, labels=ids).loss)


def test_the_catalogue_lists_it_and_fetches_nothing(workspace):
    assert scratch.CARD in list_models(workspace)
    assert card(workspace, scratch.SCRATCH_ID) == scratch.CARD
    assert resolve(workspace, scratch.SCRATCH_ID) is None
    place = fetch(workspace, scratch.SCRATCH_ID, lambda done, total: None)
    assert list(place.iterdir()) == []
    assert scratch.CARD in list_models(workspace)
    assert has(scratch.CARD.note)


def test_only_full_tuning_makes_sense_of_it():
    machine = Hardware("cpu", "chip", 4, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 4, "reason.threads_cores", 100.0)  # fmt: skip
    found = {method.key: method.supports("SEQ_2_SEQ_LM", scratch.CARD, machine) for method in methods}
    assert found["full"].ok
    assert {key: verdict.code for key, verdict in found.items() if key not in ("full", "head")} == {
        "lora": "verdict.method_untaught",
        "qlora": "verdict.method_untaught",
        "qlora8": "verdict.method_untaught",
        "last_layers": "verdict.method_untaught",
    }
    assert not found["head"].ok


def test_few_rows_make_a_small_vocabulary(tmp_path):
    made = scratch.make(tmp_path / "m", ["one two", "一二"], 1)
    assert 10 < len(load_tokenizer(made)) <= 64
