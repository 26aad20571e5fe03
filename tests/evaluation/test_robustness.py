"""Faulty copies of the test rows: the same each time, scored beside the clean rows, cheap, and silent where they say
nothing."""

from __future__ import annotations

import random

import pytest

from studio.evaluation import baseline, robustness
from studio.evaluation.exam import Exam, contenders, texts_of
from studio.evaluation.noise import KINDS, noisy
from studio.tasks.base import tasks
from studio.words import has

CLASSIFY = tasks.get("classification")
ENGLISH = {"animal": "the striped tiger walked slowly", "food": "lovely noodles served quickly"}
CHINESE = {"animal": "老虎慢慢走过去了", "food": "面条端得很快"}


def rows_of(subjects, count, seed):
    chance = random.Random(seed)
    return [{"text": subjects[label], "label": label} for label in chance.choices(sorted(subjects), k=count)]


def tried(subjects, count=80):
    train, test = rows_of(subjects, 120, 1), rows_of(subjects, count, 2)
    facts = {"labels": sorted(subjects)}
    exam = Exam(CLASSIFY, test, list(range(count)), facts, train, seed=5)
    simple = {"tfidf": baseline.fit_baselines(CLASSIFY, train, train[:30], facts, 1)["tfidf"]}
    return exam, contenders(exam, simple, None, None), simple


def test_scores_of_the_copies_are_those_of_the_faulty_texts():
    exam, rivals, simple = tried(ENGLISH)
    told = []
    found = robustness.robustness(exam, rivals, simple, sorted(ENGLISH), lambda *done: told.append(done))
    assert found == robustness.robustness(exam, rivals, simple, sorted(ENGLISH))
    assert (found["rows"], found["metric"], found["models"], found["seed"]) == (80, "macro_f1", ["tfidf"], 5)
    assert found["clean"] == {"tfidf": 1.0}
    assert [copy["kind"] for copy in found["copies"]] == list(KINDS)
    assert told == [(1, 1)] * len(KINDS)
    for copy in found["copies"]:
        said = [answer["label"] for answer in simple["tfidf"].predict(noisy(texts_of(exam), copy["kind"], 5))]
        right = sum(label == row["label"] for label, row in zip(said, exam.rows, strict=True)) / 80
        assert copy["tfidf"] == pytest.approx(right, abs=0.05)
        assert has(f"web.fault.{copy['kind']}")
        assert has(f"web.fault.{copy['kind']}_help")


def test_chinese_has_no_case_to_change():
    exam, rivals, simple = tried(CHINESE)
    found = robustness.robustness(exam, rivals, simple, sorted(CHINESE))
    assert [copy["kind"] for copy in found["copies"]] == ["typos", "dropped", "swapped"]


def test_slow_models_answer_fewer_rows_and_very_slow_ones_none():
    exam, rivals, simple = tried(ENGLISH)
    rivals["tfidf"].milliseconds = 1000 * robustness.FAULTY_SECONDS / 4 / 40
    assert robustness.robustness(exam, rivals, simple, sorted(ENGLISH))["rows"] == 40
    rivals["tfidf"].milliseconds *= 2
    assert robustness.robustness(exam, rivals, simple, sorted(ENGLISH)) is None


def test_a_few_rows_say_nothing():
    exam, rivals, simple = tried(ENGLISH, count=20)
    assert robustness.robustness(exam, rivals, simple, sorted(ENGLISH)) is None


def test_the_kind_says_how_many_copies_there_are_so_that_a_plan_counts_them():
    assert CLASSIFY.kind.faulty_copies == len(KINDS)
