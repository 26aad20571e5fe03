"""A head placed before the first step: better than chance at once, seeded, and silent about labels it never saw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_training import reviews, save_encoder
from transformers import AutoTokenizer

from studio.methods.base import methods
from studio.tasks.base import tasks
from studio.training import firsthead
from studio.training.batching import ListItems, collate
from studio.training.firsthead import place_head

TASK = tasks.get("classification")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("model") / "tiny")


def assembled(folder, method="full", labels=("negative", "positive"), rows=120):
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    facts = {"labels": list(labels)}
    tuned = methods.get(method)
    model = tuned.prepare(TASK.load(str(folder), facts, TASK.Options()), TASK.peft_type, tuned.Options())
    found = [{"text": row["text"], "label": row["label"]} for row in reviews(rows)]
    items = ListItems(TASK.encode(found, tokenizer, facts, 32))
    return SimpleNamespace(
        continued=False,
        task=TASK,
        method=tuned,
        model=model,
        train=items,
        tokenizer=tokenizer,
        device="cpu",
        autocast="fp32",
        facts=facts,
    )


def said(found):
    batch = collate(found.train.take(range(len(found.train.lengths))), 0, "cpu")
    answers = TASK.read(found.model.eval(), batch, found.facts)
    return [answer["label"] for answer in answers], [found.facts["labels"][label] for label in batch["labels"].tolist()]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_placed_head_tells_the_classes_before_the_first_step(folder, method):
    found = assembled(folder, method)
    told: list[tuple[int, int]] = []
    assert place_head(found, 1, lambda done, total: told.append((done, total))) == 120
    assert told[-1] == (120, 120)
    answers, truths = said(found)
    assert np.mean([answer == truth for answer, truth in zip(answers, truths, strict=True)]) > 0.7  # half is chance
    again = assembled(folder, method)
    place_head(again, 1, lambda done, total: None)
    parts = zip(found.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in parts)


def test_a_label_without_rows_is_never_the_answer_and_other_weights_stay(folder):
    found = assembled(folder, labels=("dull", "negative", "positive"))
    before = {name: part.detach().clone() for name, part in found.model.named_parameters()}
    place_head(found, 1, lambda done, total: None)
    assert "dull" not in said(found)[0]
    changed = {name for name, part in found.model.named_parameters() if not torch.equal(before[name], part)}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_nothing_is_placed_where_there_is_nothing_to_place(folder, monkeypatch):
    assert place_head(assembled(folder, "head"), 1, lambda done, total: None) == 0
    monkeypatch.setattr(firsthead, "HEAD_ROWS", 40)
    assert place_head(assembled(folder), 1, lambda done, total: None) == 40


def test_rows_of_which_a_damaged_model_says_no_number_place_nothing(folder):
    """The training then meets them and ends with a sentence of its own, instead of this one breaking."""
    found = assembled(folder)
    table = found.model.get_input_embeddings().weight
    word = found.tokenizer.convert_tokens_to_ids("soup")
    holding = sum(word in item["input_ids"] for item in found.train.take(range(120)))
    with torch.no_grad():
        table[word] = torch.inf
    assert 0 < holding < 120
    assert place_head(found, 1, lambda done, total: None) == 120 - holding
    assert all(bool(part.isfinite().all()) for name, part in found.model.named_parameters() if "classifier" in name)
    with torch.no_grad():
        table[:] = torch.inf
    assert place_head(found, 1, lambda done, total: None) == 0
