"""Earlier rows before a text, in tokens: the text stays whole, the oldest tokens go first, the vector is the text's."""

from __future__ import annotations

import pytest
import torch
from test_windows import CLS, SEP, text_of, tokenizer

from studio.tasks.base import tasks
from studio.tasks.earlier import as_line, lines_of, marks_of, read_texts
from studio.tasks.heads import own_tokens, pool

__all__ = ["tokenizer"]
FACTS = {"labels": ["a", "b"], "windows": 3, "context": 2}


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def one(tokenizer, row, length=32, **facts):
    ((item,),) = read_texts([row], tokenizer, {**FACTS, **facts}, length)
    return item


def test_each_earlier_line_ends_with_a_mark_and_the_text_comes_last(tokenizer):
    tokenizer.sep_token = "[SEP]"
    row = {"text": "w5 好", "earlier": "w1 w2\nw3"}
    item = one(tokenizer, row)
    assert item["input_ids"] == [CLS, *ids_of(tokenizer, "w1 w2"), SEP, *ids_of(tokenizer, "w3"), SEP] + [
        *ids_of(tokenizer, "w5 好"),
        SEP,
    ]
    assert item["before"] == 5
    tokenizer.sep_token = None
    assert marks_of(tokenizer) == {"lead": 1, "between": []}
    assert one(tokenizer, row)["input_ids"] == [CLS, *ids_of(tokenizer, "w1 w2 w3 w5 好"), SEP]


def test_only_the_nearest_lines_are_read_and_blank_ones_do_not_count(tokenizer):
    row = {"text": "w5", "earlier": "w1\n\nw2\n  \nw3\n"}
    assert lines_of(row, 2) == ["w2", "w3"]
    assert lines_of(row, 0) == []
    assert one(tokenizer, row)["before"] == 2
    assert one(tokenizer, row, context=9)["before"] == 3
    assert as_line(" a\u2028b\n c ") == "a b c"


@pytest.mark.parametrize("length", [9, 10, 16, 24])
@pytest.mark.parametrize("words", [1, 4, 7, 8])
def test_no_token_of_the_text_gives_way_to_context(tokenizer, length, words):
    text = text_of(words)
    alone = tokenizer(text)["input_ids"]
    if len(alone) > length:
        pytest.skip("a text too long by itself is read in windows")
    item = one(tokenizer, {"text": text, "earlier": f"{text_of(30)}\n{text_of(5)}"}, length)
    kept = item["before"]
    assert item["input_ids"][1 + kept :] == alone[1:]
    assert len(item["input_ids"]) == length
    whole = [CLS, *ids_of(tokenizer, f"{text_of(30)} {text_of(5)}")]
    assert item["input_ids"][1 : 1 + kept] == whole[len(whole) - kept :] if kept else kept == 0


def test_a_text_in_windows_and_a_row_without_earlier_ones_are_read_as_ever(tokenizer):
    rows = [{"text": text_of(60), "earlier": "w1"}, {"text": "w2"}, {"text": "w2", "earlier": ""}]
    with_context = read_texts(rows, tokenizer, FACTS, 16)
    without = read_texts(rows, tokenizer, {**FACTS, "context": 0}, 16)
    assert [[item["input_ids"] for item in parts] for parts in with_context] == [
        [item["input_ids"] for item in parts] for parts in without
    ]
    assert all(item["before"] == 0 for parts in with_context for item in parts)
    assert "before" not in without[0][0]


@pytest.mark.parametrize("key", ["classification", "multilabel", "regression"])
def test_three_tasks_read_it_and_remember_how_much(tokenizer, key):
    task = tasks.get(key)
    truth = next(iter(task.truth_roles))
    rows = [{"text": "w1", truth: "1", "earlier": "w7 w8"}, {"text": "w1", truth: "2", "earlier": "w9"}]
    facts = task.facts(rows, task.Options(context=3))
    assert facts["context"] == 3
    assert "context" not in task.facts(rows, task.Options())
    first, second = task.encode(rows, tokenizer, facts, 16)
    assert first["input_ids"] != second["input_ids"]
    assert (first["before"], second["before"]) == (2, 1)
    assert "labels" in first


def test_pairs_have_no_context():
    pair = tasks.get("pair_classification")
    assert not pair.grouping
    assert not hasattr(pair.Options(), "context")


def test_the_vector_is_that_of_the_text_alone():
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert own_tokens(mask, None) is mask
    kept = own_tokens(mask, torch.tensor([2, 0]))
    assert kept.tolist() == [[0, 0, 1], [1, 1, 0]]
    assert pool(hidden, kept, "mean").tolist() == [[4.0, 5.0], [7.0, 8.0]]
    assert pool(hidden, kept, "last").tolist() == [[4.0, 5.0], [8.0, 9.0]]
