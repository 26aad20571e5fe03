"""Intervals hold what they promise: coverage by simulation, known cases by hand."""

import numpy as np
import pytest
from scipy.stats import binom

from studio.evaluation import intervals
from studio.evaluation.metrics import of_counts


@pytest.fixture
def fewer_draws(monkeypatch):
    """Simulations repeat the bootstrap hundreds of times; the ends need not be exact there."""
    monkeypatch.setattr(intervals, "DRAWS", 400)


def named(numbers):
    return [f"l{number}" for number in numbers]


def simulated(chance, labels, rows, right, other_right=None, together=0.0):
    """Truths and one or two models' answers that are right with these chances; `together` share one die."""
    truths, die = chance.integers(0, labels, rows), chance.random(rows)
    answers = [np.where(die < right, truths, (truths + chance.integers(1, labels, rows)) % labels)]
    if other_right is not None:
        die = np.where(chance.random(rows) < together, die, chance.random(rows))
        answers.append(np.where(die < other_right, truths, (truths + chance.integers(1, labels, rows)) % labels))
    return named(truths), *[named(answer) for answer in answers]


@pytest.mark.parametrize(
    ("labels", "rows", "right", "least"), [(2, 30, 0.97, 0.9), (3, 120, 0.7, 0.92), (8, 60, 0.95, 0.9)]
)
def test_the_interval_of_macro_f1_and_accuracy_covers_the_truth(fewer_draws, labels, rows, right, least):
    chance, names = np.random.default_rng(11), named(range(labels))
    expected = np.full((labels, labels), (1 - right) / (labels - 1))
    np.fill_diagonal(expected, right)
    truth = of_counts((expected * 1_000_000).astype(np.int64))
    covered = {"macro_f1": 0, "accuracy": 0}
    for seed in range(250):
        truths, answers = simulated(chance, labels, rows, right)
        found = intervals.label_intervals(answers, truths, names, seed)
        for name in covered:
            covered[name] += found[name][0] <= truth[name] <= found[name][1]
    assert least <= covered["macro_f1"] / 250
    assert least <= covered["accuracy"] / 250


@pytest.mark.parametrize(("labels", "rows", "right", "together"), [(2, 40, 0.9, 0.0), (8, 60, 0.8, 0.7)])
def test_two_equal_models_are_seldom_called_different(fewer_draws, labels, rows, right, together):
    chance, names = np.random.default_rng(5), named(range(labels))
    alarms = 0
    for seed in range(250):
        truths, ours, theirs = simulated(chance, labels, rows, right, right, together)
        alarms += intervals.label_difference("macro_f1", ours, theirs, truths, names, seed).kind != "unclear"
    assert alarms / 250 <= 0.075


def test_the_paired_interval_covers_a_real_difference_and_finds_it(fewer_draws):
    chance, names = np.random.default_rng(6), named(range(3))
    covered = found_it = 0
    for seed in range(150):
        truths, ours, theirs = simulated(chance, 3, 200, 0.9, 0.8, 0.8)
        found = intervals.label_difference("accuracy", ours, theirs, truths, names, seed)
        covered += found.low <= 0.1 <= found.high
        found_it += found.kind == "higher"
    assert covered / 150 >= 0.9
    assert found_it / 150 >= 0.9


def test_pairing_makes_the_interval_narrower():
    truths, ours, theirs = simulated(np.random.default_rng(1), 4, 400, 0.85, 0.8, 0.95)
    names = named(range(4))
    paired = intervals.label_difference("accuracy", ours, theirs, truths, names)
    alone = [intervals.label_intervals(answers, truths, names)["accuracy"] for answers in (ours, theirs)]
    apart = sum((high - low) ** 2 for low, high in alone) ** 0.5
    assert paired.high - paired.low < 0.7 * apart


def test_accuracy_agrees_with_the_binomial_law():
    truths, answers = ["a"] * 400, ["a"] * 320 + ["b"] * 80
    low, high = intervals.label_intervals(answers, truths, ["a", "b"])["accuracy"]
    assert low == pytest.approx(binom.ppf(0.025, 400, 0.8) / 400, abs=0.01)
    assert high == pytest.approx(binom.ppf(0.975, 400, 0.8) / 400, abs=0.01)


def test_no_error_among_thirty_rows_is_not_certainty():
    truths = ["a", "b"] * 15
    low, high = intervals.label_intervals(truths, truths, ["a", "b"])["macro_f1"]
    assert 0.8 < low < 0.95
    assert high == 1.0


def test_a_model_compared_with_itself_differs_by_nothing():
    truths, answers = simulated(np.random.default_rng(2), 3, 90, 0.8)
    found = intervals.label_difference("macro_f1", answers, answers, truths, named(range(3)))
    assert found.value == 0.0
    assert found.low <= 0.0 <= found.high
    assert found.kind == "unclear"


def test_four_rows_more_of_thirty_are_no_proof_but_ten_are():
    truths = ["a", "b"] * 15
    wrong = {"a": "b", "b": "a"}
    for more, kind in ((4, "unclear"), (10, "higher")):
        theirs = [wrong[truth] for truth in truths[:more]] + truths[more:]
        found = intervals.label_difference("accuracy", truths, theirs, truths, ["a", "b"])
        assert found.value == pytest.approx(more / 30)
        assert found.kind == kind, more
    assert intervals.label_difference("accuracy", theirs, truths, truths, ["a", "b"]).kind == "lower"


def test_the_same_seed_gives_the_same_ends_and_many_labels_stay_quick():
    truths, answers, theirs = simulated(np.random.default_rng(3), 150, 3000, 0.85, 0.8, 0.5)
    names = named(range(150))
    first = intervals.label_difference("macro_f1", answers, theirs, truths, names, 7)
    assert first == intervals.label_difference("macro_f1", answers, theirs, truths, names, 7)
    assert first.kind == "higher"


def test_losses_are_drawn_by_row_and_cover_the_truth(fewer_draws):
    chance, covered = np.random.default_rng(8), 0
    for seed in range(300):
        tokens = chance.integers(5, 60, 12)
        losses = tokens * chance.gamma(4.0, 0.5, 12)
        low, high = intervals.loss_intervals(losses.tolist(), tokens.tolist(), seed)["loss"]
        covered += low <= 2.0 <= high
    assert covered / 300 >= 0.88


def test_the_paired_difference_of_losses():
    chance = np.random.default_rng(9)
    tokens = chance.integers(20, 80, 40)
    before = tokens * chance.gamma(16.0, 0.15, 40)
    after = before - tokens * chance.normal(0.3, 0.05, 40)
    found = intervals.loss_difference(after.tolist(), before.tolist(), tokens.tolist())
    assert found.kind == "lower"
    assert found.low < -0.3 < found.high
    assert found.high - found.low < 0.06
    both = intervals.loss_intervals(after.tolist(), tokens.tolist())
    assert both["perplexity"] == pytest.approx(tuple(np.exp(both["loss"])))


def test_no_rows_is_an_error():
    with pytest.raises(ValueError, match="no row"):
        intervals.label_intervals([], [], ["a"])
    with pytest.raises(ValueError, match="no row"):
        intervals.loss_intervals([], [])
    with pytest.raises(ValueError, match="length"):
        intervals.label_difference("accuracy", ["a"], ["a", "a"], ["a", "a"], ["a"])
