"""Metrics against scikit-learn, and what is not a number to score."""

import math
import random

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from studio.evaluation import metrics


def drawn(seed: int, labels: int, rows: int) -> tuple[list[str], list[str]]:
    chance = random.Random(seed)
    names = [f"label {number}" for number in range(labels)]
    truths = [chance.choice(names) for _ in range(rows)]
    return [truth if chance.random() < 0.6 else chance.choice(names[:-1]) for truth in truths], truths


@pytest.mark.parametrize(("seed", "labels", "rows"), [(0, 2, 40), (1, 5, 300), (2, 12, 60), (3, 30, 50)])
def test_labels_are_scored_as_scikit_learn_does(seed, labels, rows):
    answers, truths = drawn(seed, labels, rows)
    facts = {"labels": sorted({*answers, *truths})}
    found = metrics.score("labels", [{"label": answer} for answer in answers], truths, facts)
    assert found["accuracy"] == pytest.approx(accuracy_score(truths, answers))
    for name, theirs in (("macro_f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert found[name] == pytest.approx(theirs(truths, answers, average="macro", zero_division=0)), name
    table = metrics.confusion(answers, truths, facts["labels"])
    assert np.array_equal(table, confusion_matrix(truths, answers, labels=facts["labels"]))


def test_a_label_nobody_has_or_gives_does_not_pull_the_average_down():
    found = metrics.score("labels", [{"label": "a"}, {"label": "b"}], ["a", "b"], {"labels": ["a", "b", "never"]})
    assert found == {"accuracy": 1.0, "macro_f1": 1.0, "precision": 1.0, "recall": 1.0}


def test_a_label_the_model_never_saw_counts_against_it_and_rows_without_truth_do_not_count():
    answers = [{"label": "a"}, {"label": "a"}, {"label": "b"}]
    found = metrics.score("labels", answers, ["a", "new", None], {"labels": ["a", "b"]})
    assert found["accuracy"] == 0.5
    assert found["recall"] == pytest.approx(0.5)
    assert metrics.known_labels(["a", "b"], ["a", "new", None], {"labels": ["b", "a"]}) == ["b", "a", "new"]


def test_per_class_numbers_add_up():
    table = metrics.confusion(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"])
    first, second = metrics.per_class(table, ["a", "b"])
    assert first == {"label": "a", "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "rows": 1, "answers": 2}
    assert second["recall"] == pytest.approx(2 / 3)
    assert second["rows"] == 3


def test_chat_is_scored_by_token_not_by_row():
    found = metrics.score("chat", [{"loss": 10.0, "tokens": 10}, {"loss": 0.0, "tokens": 30}], [None, None], {})
    assert found["loss"] == pytest.approx(0.25)
    assert found["perplexity"] == pytest.approx(math.exp(0.25))
    assert math.isfinite(metrics.perplexity(math.nan))
    assert math.isfinite(metrics.perplexity(1e9))


def test_nothing_to_score_is_an_error_not_a_zero():
    with pytest.raises(ValueError, match="truth"):
        metrics.score("labels", [{"label": "a"}], [None], {"labels": ["a"]})
    with pytest.raises(ValueError, match="token"):
        metrics.score("chat", [{"loss": 0.0, "tokens": 0}], [None], {})
    with pytest.raises(ValueError, match="no-such"):
        metrics.score("no-such", [], [], {})
