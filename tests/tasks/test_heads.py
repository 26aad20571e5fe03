"""Heads over a real small encoder: padding, cached vectors and saved weights change no answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "training"))

from tiny_training import save_encoder  # noqa: E402

from studio.methods.base import methods  # noqa: E402
from studio.tasks.base import tasks  # noqa: E402
from studio.tasks.layers import HEADS  # noqa: E402
from studio.training.batching import ListItems, collate  # noqa: E402

TASK = tasks.get("classification")
ITEMS = [
    {"input_ids": [2, 5, 11, 17, 20, 7, 3], "labels": 0},
    {"input_ids": [2, 9, 3], "labels": 1},
    {"input_ids": [2, 12, 14, 9, 3], "labels": 2},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def loaded(folder, head):
    torch.manual_seed(3)
    facts = {"labels": ["a", "b", "c"], **({} if head == "linear" else {"head": head})}
    return TASK.load(str(folder), facts, TASK.Options()).eval(), facts


@pytest.mark.parametrize("head", HEADS)
def test_padding_changes_no_answer(folder, head):
    model, facts = loaded(folder, head)
    together = TASK.read(model, collate(ITEMS, 0, "cpu"), facts)
    for item, one in zip(ITEMS, together, strict=True):
        alone = TASK.read(model, collate([item], 0, "cpu"), facts)[0]
        assert alone["scores"] == pytest.approx(one["scores"], abs=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_vectors_computed_once_give_the_same_answers(folder, head):
    model, facts = loaded(folder, head)
    batch = collate(ITEMS, 0, "cpu")
    with torch.no_grad():
        features = model.features_of(batch["input_ids"], batch["attention_mask"])
    over_tokens = head in ("cnn", "bilstm")
    assert features.dim() == (3 if over_tokens else 2)
    lengths = [len(item["input_ids"]) for item in ITEMS]
    rows = [row[:length] if over_tokens else row for row, length in zip(features, lengths, strict=True)]
    kept = ListItems([{"features": row, "labels": 0} for row in rows])
    assert kept.lengths.tolist() == (lengths if over_tokens else [1, 1, 1])
    found = TASK.read(model, collate(kept.take([0, 1, 2]), 0, "cpu"), facts)
    for one, other in zip(found, TASK.read(model, batch, facts), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)


@pytest.mark.parametrize("method", ["lora", "head", "full"])
@pytest.mark.parametrize("head", ["mlp", "cnn", "bilstm"])
def test_every_part_of_a_head_learns_and_comes_back(folder, head, method, tmp_path):
    chosen = methods.get(method)
    raw, facts = loaded(folder, head)
    model = chosen.prepare(raw, TASK.peft_type, chosen.Options()).train()
    batch = collate(ITEMS, 0, "cpu")
    TASK.loss(model, batch, TASK.Options()).backward()
    moved = {name for name, part in model.named_parameters() if part.requires_grad and ".classifier." in f".{name}"}
    assert moved
    with torch.no_grad():
        for name, part in model.named_parameters():
            if name in moved:
                assert part.grad is not None, name
                assert part.grad.abs().sum() > 0, name
                part += 0.3 * part.grad
    chosen.save(model, str(tmp_path / "saved"))
    source = tmp_path / "saved" if method == "full" else folder
    again = chosen.load(TASK.load(str(source), facts, TASK.Options()), str(tmp_path / "saved"))
    expected = TASK.read(model.eval(), batch, facts)
    for one, other in zip(TASK.read(again.eval(), batch, facts), expected, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)
