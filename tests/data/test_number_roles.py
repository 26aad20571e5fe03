"""Numbers and pairs among the columns: taken only where they can be nothing else, else a question with both answers."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest

from studio.data.profile import profile
from studio.data.roles import Suggestion, columns_for, suggest_for
from studio.tasks.base import tasks
from studio.words import say

WORDS = "the room staff breakfast bed was is not very clean dirty early late view price night came went".split()
ZH = "这个 房间 早餐 服务 很好 一般 太差 干净 安静 热情 位置 不错 有点 远 推荐 再来".split()


def prose(seed: int, count: int = 60, low: int = 4, high: int = 15, words: list[str] = WORDS) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choices(words, k=dice.randint(low, high))) for _ in range(count)]


def amounts(seed: int = 5, count: int = 60) -> list[str]:
    dice = random.Random(seed)
    return [f"{dice.uniform(0, 5):.2f}" for _ in range(count)]


def cycle(*values: str, count: int = 60) -> list[str]:
    return [values[n % len(values)] for n in range(count)]


def suggest(**columns: list[Any]) -> Suggestion:
    found = suggest_for(profile(pl.DataFrame(columns).cast(pl.String))["columns"])
    for language in ("en", "zh"):
        assert "{" not in say(found.code, language, **found.values)
        assert all("{" not in say(one.code, language, **one.values) for one in found.alternatives)
    assert all(option.sure for option in found.alternatives)
    return found


@pytest.mark.parametrize(("text", "number"), [("review", "rating"), ("描述", "价格"), ("body", "score")])
def test_a_text_and_a_number_called_so_are_sure(text: str, number: str):
    found = suggest(**{text: prose(1, words=ZH if text == "描述" else WORDS), number: amounts()})
    assert (found.task, found.columns, found.sure) == ("regression", {"text": text, "number": number}, True)


def test_a_number_of_unknown_meaning_is_asked_about():
    found = suggest(text=prose(1), helpful=amounts())
    assert (found.task, found.sure, found.code) == (None, False, "data.question.no_label")
    assert ("regression", {"text": "text", "number": "helpful"}) in [
        (one.task, one.columns) for one in found.alternatives
    ]


def test_few_different_numbers_are_amounts_or_classes():
    found = suggest(text=prose(1), rating=cycle(*"12345"))
    assert (found.task, found.sure, found.code) == (None, False, "data.question.number_or_label")
    assert [one.task for one in found.alternatives] == ["regression", "classification"]
    # Two or three numbers, or any under a header that says "class", are names.
    for named in (suggest(text=prose(1), rating=cycle(*"01")), suggest(text=prose(1), label=cycle(*"12345"))):
        assert (named.task, named.sure) == ("classification", True)


def test_a_number_beside_labels_is_a_question():
    found = suggest(text=prose(1), topic=cycle("a", "b"), rating=amounts())
    assert (found.task, found.sure, found.code) == (None, False, "data.question.number_beside_label")
    named = suggest(text=prose(1), label=cycle("a", "b"), rating=amounts())
    assert (named.task, named.columns["label"], named.sure) == ("classification", "label", True)


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ("sentence1", "sentence2", "score"),
        ("text_a", "text_b", "similarity"),
        ("句子1", "句子2", "相似度"),
        ("first", "second", "score"),
    ],
)
def test_pairs_with_a_score_are_sure(first: str, second: str, score: str):
    words = ZH if score == "相似度" else WORDS
    found = suggest(**{first: prose(1, words=words), second: prose(2, words=words), score: amounts()})
    wanted = {"first": first, "second": second, "score": score}
    assert (found.task, found.columns, found.sure) == ("similarity", wanted, True)


def test_the_order_of_the_columns_does_not_turn_a_pair_round():
    found = suggest(sentence2=prose(1), similarity=amounts(), sentence1=prose(2))
    assert (found.columns["first"], found.columns["second"]) == ("sentence1", "sentence2")


@pytest.mark.parametrize(
    ("first", "second", "label"),
    [("premise", "hypothesis", "label"), ("question", "paragraph", "match"), ("问题1", "问题2", "标签")],
)
def test_pairs_with_labels_are_sure(first: str, second: str, label: str):
    longer = prose(2, low=40, high=60) if second == "paragraph" else prose(2)
    found = suggest(**{first: prose(1), second: longer, label: cycle("yes", "no"), "split": cycle("train", "test")})
    wanted = {"first": first, "second": second, "label": label}
    assert (found.task, found.columns, found.sure) == ("pair_classification", wanted, True)


def test_numbers_of_pairs_that_may_be_classes_are_a_question():
    found = suggest(sentence1=prose(1), sentence2=prose(2), label=cycle("yes", "no"), split=cycle("a", "b"))
    assert found.task == "pair_classification"
    asked = suggest(sentence1=prose(1), sentence2=prose(2), degree=cycle(*"012345"))
    assert (asked.task, asked.sure, asked.code) == (None, False, "data.question.score_or_label")
    assert [one.task for one in asked.alternatives] == ["similarity", "pair_classification"]
    binary = suggest(question1=prose(1), question2=prose(2), is_duplicate=cycle("0", "1"))
    assert (binary.task, binary.sure) == ("pair_classification", True)


def test_two_texts_that_no_header_makes_a_pair_stay_a_question():
    found = suggest(one=prose(1), two=prose(2), degree=amounts())
    assert not found.sure
    offered = [(one.task, one.columns) for one in found.alternatives]
    assert ("similarity", {"first": "one", "second": "two", "score": "degree"}) in offered
    labelled = suggest(one=prose(1), two=prose(2), topic=cycle("a", "b"))
    assert (labelled.sure, labelled.code) == (False, "data.question.which_text")
    assert "pair_classification" in [one.task for one in labelled.alternatives]


def test_a_task_chosen_by_hand_gets_its_columns():
    columns = profile(pl.DataFrame({"one": prose(1), "two": prose(2), "n": amounts()}).cast(pl.String))["columns"]
    found = columns_for(columns, tasks.get("similarity"))
    assert found == {"first": "one", "second": "two", "score": "n"}
    labelled = profile(pl.DataFrame({"text": prose(1), "rating": cycle(*"123")}).cast(pl.String))["columns"]
    assert columns_for(labelled, tasks.get("classification")) == {"text": "text", "label": "rating"}
    stars = profile(pl.DataFrame({"text": prose(1), "rating": cycle(*"12345")}).cast(pl.String))["columns"]
    assert columns_for(stars, tasks.get("regression")) == {"text": "text", "number": "rating"}
