"""Counting models: true probabilities, better than chance on text like the training text, never certain of anything."""

import math

import numpy as np
import pytest

from studio.evaluation.counting import Counting

ROWS = [[1, 2, 3, 1, 2, 4], [1, 2, 3], [-100, 1, 2]]


def test_probabilities_sum_to_one_whatever_stood_before():
    model = Counting(7).fit(ROWS)
    tokens = np.arange(7)
    assert np.exp(-model.unigram(tokens)).sum() == pytest.approx(1)
    for before in range(7):
        assert np.exp(-model.bigram(np.full(7, before), tokens)).sum() == pytest.approx(1)


def test_what_follows_often_costs_little():
    model = Counting(7).fit(ROWS)
    after_one = model.bigram(np.array([1, 1]), np.array([2, 6]))
    assert after_one[0] < 0.4 < 2 < after_one[1]
    # Add-one: 4 of 11 tokens, over 11 + 7.
    assert model.unigram(np.array([1]))[0] == pytest.approx(-math.log(5 / 18))


def test_rows_are_scored_as_a_causal_model_reads_them():
    model = Counting(7).fit(ROWS)
    uni, bi = (model.losses(kind, [[1, 2, 3], [5]]) for kind in ("unigram", "bigram"))
    assert [row["tokens"] for row in uni] == [2, 0]
    assert uni[0]["loss"] == pytest.approx(float(model.unigram(np.array([2, 3])).sum()))
    assert bi[0]["loss"] < uni[0]["loss"]
    assert uni[1]["loss"] == 0.0


def test_hidden_tokens_are_scored_one_by_one():
    model = Counting(7).fit(ROWS)
    assert model.at([[2, 6], []]) == [
        {"loss": pytest.approx(float(model.unigram(np.array([2, 6])).sum())), "tokens": 2},
        {"loss": 0.0, "tokens": 0},
    ]


def test_nothing_learnt_is_chance():
    model = Counting(10).fit([])
    assert model.losses("bigram", [[1, 2]])[0]["loss"] == pytest.approx(math.log(10))
    assert model.bytes == 80
