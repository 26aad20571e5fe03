"""Exact match and F1 as SQuAD counts them, the threshold of no answer, and the simple models of questions."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from studio.evaluation import squad
from studio.evaluation.baseline import fit_baselines, load
from studio.evaluation.kinds.base import judges
from studio.tasks.base import tasks

TASK, JUDGE = tasks.get("qa"), judges.get("spans")


@pytest.mark.parametrize(
    ("answer", "truths", "exact", "f1"),
    [
        ("the Denver Broncos", ["Denver Broncos"], 1, 1),
        ("Denver Broncos!", ["the denver   broncos"], 1, 1),
        ("Broncos", ["Denver Broncos"], 0, 2 / 3),
        ("Denver", ["Carolina", "Denver Broncos", "Denver"], 1, 1),
        ("in the city of Denver", ["Denver Broncos"], 0, 1 / 3),
        ("", ["Denver"], 0, 0),
        ("Denver", [], 0, 0),
        ("", [], 1, 1),
        ("the", ["a"], 1, 1),
        ("北京", ["北京大学"], 0, 2 / 3),
        ("《北京大学》。", ["北京大学"], 1, 1),
        ("NFL 联盟", ["NFL联盟"], 1, 1),
        ("東京タワー", ["東京"], 0, 4 / 7),
    ],
)
def test_answers_are_compared_as_squad_does(answer, truths, exact, f1):
    assert squad.against(answer, truths) == (exact, pytest.approx(f1))


def test_the_threshold_is_where_the_f1_is_highest():
    none = [0.05, 0.2, 0.3, 0.35, 0.9]
    gained, empty = [1.0, 1.0, 0.0, 0.5, 0.0], [False, False, True, False, True]
    found = squad.threshold(none, gained, empty)

    def mean(bound: float) -> float:
        return sum(e if chance >= bound else g for chance, g, e in zip(none, gained, empty, strict=True))

    assert mean(found) == max(mean(bound) for bound in np.linspace(0.001, 1, 1000))
    # All as good as each other: one half.
    assert squad.threshold([0.1, 0.9], [1, 0], [False, True]) == pytest.approx(0.5)
    assert squad.threshold([0.7, 0.9], [1, 0], [False, True]) == pytest.approx(0.7, abs=1e-6)
    assert squad.threshold([0.7, 0.9], [1, 0], [False, True]) > 0.7


def test_scores_have_parts_where_there_are_questions_without_an_answer():
    answers = [{"text": "Rome"}, {"text": ""}, {"text": "Bo"}, {"text": ""}]
    expected = [[["Rome", 3]], [["Lima", 4]], [], []]
    assert JUDGE.score(answers, expected, {"unanswerable": True}) == {
        "answer_f1": 0.5,
        "answer_exact": 0.5,
        "has_answer_f1": 0.5,
        "has_answer_exact": 0.5,
        "no_answer_accuracy": 0.5,
    }
    assert set(JUDGE.score(answers, expected, {})) == {"answer_f1", "answer_exact"}
    tallies = JUDGE.tallies(answers, expected, {})
    for said, score in zip(JUDGE.imagined(tallies, {}), (1.0, 0.0), strict=True):
        found = JUDGE.reduce(said[None], {"unanswerable": True})
        assert {name: float(values[0]) for name, values in found.items()} == pytest.approx(dict.fromkeys(found, score))
    assert [JUDGE.right({"text": said}, [["a red car", 0]]) for said in ("red car", "red", "blue")] == [
        True,
        None,
        False,
    ]


ROWS = [
    {
        "question": "How many points did the Panthers give up?",
        "context": "The Broncos won. The Panthers gave up 308 points in 1.5 games. They lost the last game.",
        "answers": "308",
    },
    {
        "question": "Who lost the game?",
        "context": "It rained. The Panthers lost the last game.",
        "answers": "The Panthers",
    },
    {"question": "豹队丢了多少分？", "context": "今天下雨。黑豹队丢了308分！他们很难过。", "answers": "308"},
]


def test_simple_models_answer_from_the_nearest_sentence(tmp_path):
    found = fit_baselines(TASK, ROWS, ROWS, {}, 0)
    assert list(found) == ["sentence", "part"]
    sentences = [answer["text"] for answer in found["sentence"].answer(TASK, ROWS)]
    assert sentences == [
        "The Panthers gave up 308 points in 1.5 games",
        "The Panthers lost the last game",
        "黑豹队丢了308分",
    ]
    parts = found["part"].answer(TASK, ROWS)
    assert "308" in parts[0]["text"]
    assert "308" in parts[2]["text"]
    for row, answer in zip(ROWS, parts, strict=True):
        assert row["context"][answer["start"] : answer["end"]] == answer["text"]
    for key, model in found.items():
        model.save(tmp_path / key)
        assert load(tmp_path / key).answer(TASK, ROWS) == model.answer(TASK, ROWS)
    nothing = [{"question": "why?", "context": ""}, {"question": "", "context": "..."}]
    assert [answer["text"] for model in found.values() for answer in model.answer(TASK, nothing)] == [""] * 4


def test_where_some_questions_have_no_answer_never_answering_is_a_rival(tmp_path):
    found = fit_baselines(TASK, [*ROWS, {**ROWS[0], "answers": None}], [], {}, 0)
    assert list(found) == ["no_answer", "sentence", "part"]
    assert [answer["text"] for answer in found["no_answer"].answer(TASK, ROWS)] == [""] * 3
    found["no_answer"].save(tmp_path)
    assert json.loads((tmp_path / "baseline.json").read_text("utf-8"))["key"] == "no_answer"
    assert load(tmp_path).key == "no_answer"


def test_sentences_of_hostile_texts_are_found_in_no_time():
    model = fit_baselines(TASK, ROWS, [], {}, 0)["part"]
    start = time.perf_counter()
    for text in ("." * 20_000, "a." * 20_000, "!?" * 10_000 + "x", "。" * 20_000):
        model.answer(TASK, [{"question": "how many?", "context": text}])
    assert time.perf_counter() - start < 10
