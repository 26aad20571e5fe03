"""Long texts in windows: how many, which, that none is torn, that a text's answer is the mean of its windows'."""

from __future__ import annotations

import random

import pytest

from studio.tasks.base import tasks
from studio.tasks.windows import count, mean_scores, overlap, windows

WORDS = [f"w{number}" for number in range(90)] + list("外卖很好吃")
CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer():
    """Words and single Chinese characters, framed by [CLS] and [SEP]; a fast tokenizer as the models bring it."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split(Regex(r"[\u4e00-\u9fff]"), "isolated")]
    )
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]")


def text_of(words: int) -> str:
    return " ".join(random.Random(words).choices(WORDS, k=words))


@pytest.mark.parametrize("words", [1, 14, 15, 30, 200])
def test_windows_cover_the_text_and_repeat_a_few_tokens(tokenizer, words):
    text, length = text_of(words), 16
    (parts,) = windows([text], tokenizer, length, 1000)
    assert all(part[0] == CLS and part[-1] == SEP and len(part) <= length for part in parts)
    again = overlap(tokenizer, length)
    assert again == 2
    joined = parts[0][1:-1] + [token for part in parts[1:] for token in part[1 + again : -1]]
    assert joined == tokenizer(text)["input_ids"][1:-1]


def test_of_a_very_long_text_windows_that_lie_evenly_over_it_are_kept(tokenizer):
    every = windows([text_of(400)], tokenizer, 16, 1000)[0]
    kept = windows([text_of(400)], tokenizer, 16, 4)[0]
    assert len(every) > 20
    places = [every.index(part) for part in kept]
    assert places[0] == 0
    assert places[-1] == len(every) - 1
    assert max(places[n + 1] - places[n] for n in range(3)) <= 1 + min(places[n + 1] - places[n] for n in range(3))


def test_one_window_is_the_beginning(tokenizer):
    text = text_of(100)
    assert windows([text], tokenizer, 16, 1) == [[[*tokenizer(text)["input_ids"][:15], SEP]]]
    assert windows([], tokenizer, 16, 4) == []


def test_each_text_keeps_its_own_windows_chinese_too(tokenizer):
    texts = ["w1 w2", "外卖很好吃" * 9, text_of(50), ""]
    together = windows(texts, tokenizer, 12, 3)
    assert together == [windows([text], tokenizer, 12, 3)[0] for text in texts]
    assert [len(parts) for parts in together] == [1, 3, 3, 1]
    assert together[3] == [[CLS, SEP]]


@pytest.mark.parametrize("most", [1, 4, 100])
def test_the_count_that_time_is_planned_with_is_that_of_the_windows_or_one_off(tokenizer, most):
    for words in (1, 20, 62, 63, 150, 333):
        text = text_of(words)
        found = len(windows([text], tokenizer, 64, most)[0])
        assert abs(count(len(tokenizer(text)["input_ids"]), 64, most) - found) <= 1


def test_the_answer_is_the_mean_of_the_windows():
    found = [{"scores": {"x": 0.9, "y": 0.1}}, {"scores": {"x": 0.2, "y": 0.8}}, {"scores": {"x": 0.2, "y": 0.8}}]
    assert mean_scores(found) == pytest.approx({"x": 1.3 / 3, "y": 1.7 / 3})
    single = tasks.get("classification").combine(found, {}, {"labels": ["x", "y"]})
    assert single["label"] == "y"
    several = tasks.get("multilabel").combine(found, {}, {"labels": ["x", "y"], "thresholds": {"x": 0.4, "y": 0.7}})
    assert several["labels"] == ["x"]


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_every_window_of_a_row_carries_its_row_and_its_label(tokenizer, task):
    task = tasks.get(task)
    (role,) = task.truth_roles
    rows = [{"text": "w1", role: "a"}, {"text": text_of(60), role: "b"}, {"text": text_of(40), role: None}]
    facts = task.facts(rows, task.Options(windows=3))
    items = task.encode(rows, tokenizer, facts, 16)
    assert [item["row"] for item in items] == [0, 1, 1, 1, 2, 2, 2]
    assert ["labels" in item for item in items] == [True] * 4 + [False] * 3
    assert items[1]["labels"] == items[3]["labels"] != items[0]["labels"]
    cut = task.encode(rows, tokenizer, task.facts(rows, task.Options(windows=1)), 16)
    assert [item["row"] for item in cut] == [0, 1, 2]
