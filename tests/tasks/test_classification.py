"""The classification task: what is wrong with rows, what is remembered, encoding, the head, loss and reading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from studio.tasks.base import tasks
from studio.tasks.classification import ClassificationOptions
from studio.tasks.heads import pool, pooling_of
from studio.training.batching import collate

TASK = tasks.get("classification")
FACTS = {"labels": ["bad", "good", "so-so"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder")
    BertModel(
        BertConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=32,
            initializer_range=0.3,
        )  # fmt: skip
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def model(folder):
    torch.manual_seed(1)
    return TASK.load(str(folder), FACTS, TASK.Options()).eval()


ITEMS = [
    {"input_ids": [1, 7, 9, 2], "labels": 0},
    {"input_ids": [1, 8, 2], "labels": 2},
    {"input_ids": [1, 5, 6, 7, 8, 9, 2], "labels": 1},
]


class Words:
    """Stands for a tokenizer: a word is its length, wrapped in 1 and 2."""

    def __call__(self, texts, truncation, max_length):
        assert truncation
        return {"input_ids": [[1, *map(len, text.split())][: max_length - 1] + [2] for text in texts]}


def test_rows_that_cannot_be_learnt_from_are_said():
    assert [p.code for p in TASK.problems([{"text": "a", "label": None}])] == ["labels_none"]
    one = TASK.problems([{"text": "a", "label": "x"}, {"text": "b", "label": "x"}])
    assert [(p.code, p.count, p.severity) for p in one] == [("labels_one", 2, "error")]
    assert "'x'" in one[0].text()
    assert "“x”" in one[0].text("zh")
    many = TASK.problems([{"text": "a", "label": str(number)} for number in range(40)])
    assert [(p.code, p.examples[0]) for p in many] == [("labels_too_many", (1, "0"))]
    assert "40" in many[0].text()
    assert TASK.problems([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]) == []


def test_a_row_needs_text_and_label():
    assert TASK.usable({"text": "a", "label": "NA"})
    assert not TASK.usable({"text": "  ", "label": "x"})
    assert not TASK.usable({"text": "a", "label": None})


def test_labels_are_remembered_sorted_and_as_they_stand():
    rows = [{"text": "a", "label": label} for label in ("null", "00123", "NA", "NA")]
    assert TASK.facts(rows, TASK.Options()) == {"labels": ["00123", "NA", "null"], "windows": 4}
    weighed = TASK.facts(rows, ClassificationOptions(class_weights=True))
    assert weighed["class_weights"] == pytest.approx([4 / 3, 2 / 3, 4 / 3])


def test_encoding_puts_the_prefix_first_cuts_and_leaves_unknown_labels_out():
    facts = {"labels": ["x", "y"], "prefix": "query: "}
    rows = [{"text": "one three fives", "label": "y"}, {"text": "one", "label": "z"}, {"text": None}]
    items = TASK.encode(rows, Words(), facts, 4)
    assert items == [
        {"input_ids": [1, 6, 3, 2], "row": 0, "labels": 1},
        {"input_ids": [1, 6, 3, 2], "row": 1},
        {"input_ids": [1, 6, 2], "row": 2},
    ]
    assert TASK.encode([], Words(), facts, 4) == []


def test_padding_changes_no_answer(model):
    together = TASK.read(model, collate(ITEMS, 0, "cpu"), FACTS)
    alone = [TASK.read(model, collate([item], 0, "cpu"), FACTS)[0] for item in ITEMS]
    for one, other in zip(together, alone, strict=True):
        assert one["label"] == other["label"]
        assert list(one["scores"].values()) == pytest.approx(list(other["scores"].values()), abs=1e-5)
        assert sum(one["scores"].values()) == pytest.approx(1)


def test_the_loss_is_a_sum_so_that_parts_add_up(model):
    options = TASK.Options()
    whole = TASK.loss(model, collate(ITEMS, 0, "cpu"), options)
    parts = sum(TASK.loss(model, collate([item], 0, "cpu"), options) for item in ITEMS)
    assert whole.item() == pytest.approx(parts.item(), abs=1e-5)
    assert TASK.weight(collate(ITEMS, 0, "cpu")) == 3
    smoothed = TASK.loss(model, collate(ITEMS, 0, "cpu"), dataclasses.replace(options, label_smoothing=0.2))
    assert smoothed.item() != pytest.approx(whole.item(), abs=1e-4)


def test_class_weights_reach_the_loss(folder):
    torch.manual_seed(1)
    facts = {**FACTS, "class_weights": [2.0, 1.0, 1.0]}
    heavy = TASK.load(str(folder), facts, TASK.Options()).eval()
    torch.manual_seed(1)
    plain = TASK.load(str(folder), FACTS, TASK.Options()).eval()
    for item, factor in zip(ITEMS, (2.0, 1.0, 1.0), strict=True):
        batch = collate([item], 0, "cpu")
        options = TASK.Options(label_smoothing=0.0)  # which would share a weight among the labels
        ratio = TASK.loss(heavy, batch, options) / TASK.loss(plain, batch, options)
        assert ratio.item() == pytest.approx(factor, rel=1e-4)
    assert "class_weights" not in heavy.state_dict()


def test_features_computed_once_give_the_same_answers(model):
    batch = collate(ITEMS, 0, "cpu")
    with torch.no_grad():
        features = model.pooled(batch["input_ids"], batch["attention_mask"])
    cached = collate([{"features": row, "labels": 0} for row in features], 0, "cpu")
    expected, found = TASK.read(model, batch, FACTS), TASK.read(model, cached, FACTS)
    assert [answer["scores"] for answer in found] == [answer["scores"] for answer in expected]


def test_what_is_saved_opens_with_transformers_alone(model, tmp_path):
    """The encoder with AutoModel, the head as one linear layer: ten lines for whoever downloads the model."""
    from safetensors.torch import load_file
    from transformers import AutoModel

    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    encoder = AutoModel.from_pretrained(tmp_path).eval()
    batch = collate(ITEMS[:1], 0, "cpu")
    with torch.no_grad():
        hidden = encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        logits = hidden.mean(1) @ weights["classifier.weight"].T + weights["classifier.bias"]
    expected = TASK.read(model, batch, FACTS)[0]["scores"]
    assert torch.softmax(logits, -1)[0].tolist() == pytest.approx(list(expected.values()), abs=1e-5)
    assert not any("pooler" in name for name in weights)


def test_pooling_reads_real_tokens_only():
    hidden = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0, 3.0], [7.0, 8.0]]
    assert pool(hidden, mask, "last").tolist() == [[4.0, 5.0], [8.0, 9.0]]


def test_models_that_read_one_way_are_read_at_their_last_token():
    from transformers import BertConfig, LlamaConfig, XLMRobertaConfig

    assert [pooling_of(kind()) for kind in (BertConfig, XLMRobertaConfig, LlamaConfig)] == ["mean", "mean", "last"]
