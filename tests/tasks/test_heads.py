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


TAGS = tasks.get("ner")
SPANS = tasks.get("qa")
WORDS = [
    {
        "input_ids": item["input_ids"],
        "starts": [2 * place for place in range(len(item["input_ids"]))],
        "ends": [2 * place + 1 for place in range(len(item["input_ids"]))],
        "labels": [-100, *(place % 3 for place in range(len(item["input_ids"]) - 2)), -100],
    }
    for item in ITEMS
]
PLACES = [{**item, "labels": [1, 1], "question_cut": 0} for item in WORDS]
FACTS = {"ner": {"types": ["a", "b"]}, "qa": {"longest": 9, "unanswerable": True, "threshold": 0.5}}


def tokens_loaded(folder, task, head):
    torch.manual_seed(3)
    facts = {**FACTS[task.key], **({} if head == "linear" else {"head": head})}
    return task.load(str(folder), facts, task.Options()).eval(), facts


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("task", "items"), [(TAGS, WORDS), (SPANS, PLACES)], ids=["ner", "qa"])
def test_padding_and_vectors_computed_once_change_no_token(folder, task, items, head):
    model, facts = tokens_loaded(folder, task, head)
    batch = collate(items, 0, "cpu", task.blanks)
    with torch.no_grad():
        features = model.features_of(batch["input_ids"], batch["attention_mask"])
    assert features.dim() == 3
    rest = [{name: part for name, part in item.items() if name != "input_ids"} for item in items]
    kept = ListItems([{**one, "features": row[: len(one["starts"])]} for one, row in zip(rest, features, strict=True)])
    assert kept.lengths.tolist() == [len(item["input_ids"]) for item in items]
    together = task.read(model, batch, facts)
    again = task.read(model, collate(kept.take([0, 1, 2]), 0, "cpu", task.blanks), facts)
    for item, one, other in zip(items, together, again, strict=True):
        alone = task.read(model, collate([item], 0, "cpu", task.blanks), facts)[0]
        assert numbers_of(alone) == pytest.approx(numbers_of(one), abs=1e-5)
        assert numbers_of(other) == pytest.approx(numbers_of(one), abs=1e-5)


def numbers_of(found):
    return [float(number) for word in found.get("words", found.get("spans")) for number in word] + [found["loss"]]


CASES = [(TASK, ITEMS, "classifier"), (TAGS, WORDS, "classifier"), (SPANS, PLACES, "qa_outputs")]


@pytest.mark.parametrize("method", ["lora", "head", "full"])
@pytest.mark.parametrize("head", ["mlp", "cnn", "bilstm"])
@pytest.mark.parametrize(("task", "items", "name"), CASES, ids=["classification", "ner", "qa"])
def test_every_part_of_a_head_learns_and_comes_back(folder, task, items, name, head, method, tmp_path):
    chosen = methods.get(method)
    raw, facts = loaded(folder, head) if task is TASK else tokens_loaded(folder, task, head)
    model = chosen.prepare(raw, task.peft_type, chosen.Options()).train()
    batch = collate(items, 0, "cpu", task.blanks)
    task.loss(model, batch, task.Options()).backward()
    moved = {part for part, weight in model.named_parameters() if weight.requires_grad and f".{name}." in f".{part}"}
    assert moved
    with torch.no_grad():
        for name, part in model.named_parameters():
            if name in moved:
                assert part.grad is not None, name
                assert part.grad.abs().sum() > 0, name
                part += 0.3 * part.grad
    chosen.save(model, str(tmp_path / "saved"))
    source = tmp_path / "saved" if method == "full" else folder
    again = chosen.load(task.load(str(source), facts, task.Options()), str(tmp_path / "saved"))
    expected = task.read(model.eval(), batch, facts)
    for one, other in zip(task.read(again.eval(), batch, facts), expected, strict=True):
        if task is TASK:
            assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)
        else:
            assert numbers_of(one) == pytest.approx(numbers_of(other), abs=1e-5)
