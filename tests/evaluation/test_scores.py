"""Numbers judged as the field judges them, and the simple models they are compared with; words and characters."""

from __future__ import annotations

import json
import random
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from studio.evaluation import baseline
from studio.evaluation.baseline import fit_baselines
from studio.evaluation.intervals import row_difference, row_intervals
from studio.evaluation.kinds.base import judges
from studio.evaluation.kinds.similarity import on_line
from studio.evaluation.overlap import Overlap, PairOverlap, line
from studio.evaluation.scores import Mean, Ridge
from studio.tasks.base import tasks

ABOUT = {"low": 1.0, "high": 5.0, "digits": 1}
FACTS = {"mean": 3.0, "scale": 1.5, **ABOUT}
JUDGE, PAIRS = judges.get("score"), judges.get("similarity")
SNIPPETS = Path(baseline.__file__).parents[1] / "inference" / "snippets"
ZH = {"good": list("好棒赞美喜"), "bad": list("差坏糟烂慢")}


def answers(values):
    return [{"score": float(value), **ABOUT} for value in values]


def noisy(rows=120, seed=0):
    dice = np.random.default_rng(seed)
    true = dice.integers(1, 6, rows).astype(float)
    return true + dice.normal(0, 0.8, rows), true


def test_scores_agree_with_scipy_and_with_pencil():
    said, true = noisy()
    found = JUDGE.score(answers(said), list(true), FACTS)
    assert found["pearson"] == pytest.approx(pearsonr(said, true)[0])
    assert found["spearman"] == pytest.approx(spearmanr(said, true)[0])
    assert found["mae"] == pytest.approx(abs(said - true).mean())
    assert found["rmse"] == pytest.approx(np.sqrt(((said - true) ** 2).mean()))
    # One error of 3 among four rows.
    assert JUDGE.score(answers([1, 2, 3, 7]), [1.0, 2.0, 3.0, 4.0], FACTS)["mae"] == pytest.approx(0.75)
    assert JUDGE.mean_loss(answers([4.5]), [3.0], FACTS) == pytest.approx(1.0)


def test_an_answer_that_never_changes_follows_nothing():
    found = JUDGE.score(answers([3, 3, 3]), [1.0, 2.0, 3.0], FACTS)
    assert (found["pearson"], found["spearman"]) == (0.0, 0.0)
    assert JUDGE.score(answers([2]), [2.0], FACTS) == {"rmse": 0.0, "mae": 0.0, "pearson": 0.0, "spearman": 0.0}


def test_no_unit_is_too_large_for_the_sums():
    said, true = noisy()
    facts = {**FACTS, "mean": 3e9, "scale": 1.5}
    found = JUDGE.score(answers(said + 3e9 - 3), list(true + 3e9 - 3), facts)
    assert found["pearson"] == pytest.approx(pearsonr(said, true)[0], abs=1e-6)


def test_intervals_hold_the_truth_and_differences_are_paired():
    said, true = noisy(200)
    tallies = JUDGE.tallies(answers(said), list(true), FACTS)
    ends = row_intervals(tallies, lambda sums: JUDGE.reduce(sums, FACTS), None)
    assert ends["pearson"][0] < pearsonr(said, true)[0] < ends["pearson"][1]
    assert ends["rmse"][0] < 0.8 < ends["rmse"][1]
    same = row_difference("spearman", tallies, tallies, lambda sums: JUDGE.reduce(sums, FACTS))
    assert (same.value, same.low, same.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    worse = JUDGE.tallies(answers(np.full(200, 3.0)), list(true), FACTS)
    assert row_difference("rmse", tallies, worse, lambda sums: JUDGE.reduce(sums, FACTS)).kind == "lower"


def test_what_is_shown_and_what_counts_as_a_mistake():
    answer = {"score": 2.345, **ABOUT}
    assert JUDGE.shown(answer) == "2.3"
    assert JUDGE.numbers(answer) == [pytest.approx(0.33625)]
    assert JUDGE.entry({}, answer, 2.5) == {"error": -0.155, "wrong": 0}
    assert JUDGE.entry({}, answer, 4.0)["wrong"] == pytest.approx(1.655)


def test_a_head_is_fitted_to_numbers():
    dice = np.random.default_rng(1)
    features = dice.normal(size=(200, 8))
    truth = features @ np.arange(8.0) + 2.0
    weight, bias = JUDGE.fit_head(features, list(truth))
    assert weight.shape == (1, 8)
    said = features @ weight[0] + bias[0]
    # A penalty pulls the numbers a little towards their mean, and does nothing else to them.
    slope, rest = np.polyfit(truth, said, 1)
    assert 0.9 < slope < 1.0
    assert said == pytest.approx(slope * truth + rest, abs=0.2)
    assert JUDGE.fit_head(features[:2], [1.0, 2.0]) is None


def test_a_line_is_found_from_the_cosine_of_two_halves():
    dice = np.random.default_rng(1)
    one, other = dice.normal(size=(60, 4)), dice.normal(size=(60, 4))
    near = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    weight, bias = PAIRS.fit_head(np.hstack([one, other]), list(2 * near - 1))
    assert (weight[0, 0], bias[0]) == (pytest.approx(2.0), pytest.approx(-1.0))
    assert PAIRS.fit_head(np.ones((5, 8)), [1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert line([1.0, 1.0], [3.0, 5.0]) == (0.0, 4.0)
    assert on_line([{"cosine": 0.5, "score": 9.0}], 2.0, 1.0)[0]["score"] == 2.0


def rated(count, seed, chinese=False):
    """Texts whose good and bad words add up to the number."""
    dice, rows = random.Random(seed), []
    good, bad = (ZH["good"], ZH["bad"]) if chinese else ("good fine great".split(), "bad awful slow".split())
    for _ in range(count):
        ups, downs = dice.randint(0, 3), dice.randint(0, 3)
        words = (
            dice.choices(good, k=ups)
            + dice.choices(bad, k=downs)
            + dice.choices(list("的了在是") if chinese else ["the", "room"], k=3)
        )
        dice.shuffle(words)
        rows.append({"text": ("" if chinese else " ").join(words), "number": f"{3 + 0.5 * (ups - downs):g}"})
    return rows


def paired(count, seed, chinese=False):
    """Pairs whose score is the share of words they have in common."""
    dice, rows = random.Random(seed), []
    words = [chr(0x4E00 + 7 * number) for number in range(60)] if chinese else [f"w{number}" for number in range(60)]
    for _ in range(count):
        one, shared = dice.sample(words, 4), dice.randint(0, 4)
        other = one[:shared] + dice.sample([word for word in words if word not in one], 4 - shared)
        dice.shuffle(other)
        gap = "" if chinese else " "
        rows.append({"first": gap.join(one), "second": gap.join(other), "score": f"{shared / 4:g}"})
    return rows


@pytest.mark.parametrize("chinese", [False, True])
def test_simple_models_of_numbers_learn_and_come_back_the_same(tmp_path, chinese):
    task = tasks.get("regression")
    train, held = rated(200, 1, chinese), rated(60, 2, chinese)
    facts = task.facts(train, task.Options())
    models = fit_baselines(task, train, held, facts, 13)
    assert list(models) == ["mean", "ridge"]
    assert models["ridge"].validation < 0.7 * models["mean"].validation
    assert baseline.best(models) == "ridge"
    for key, model in models.items():
        model.save(tmp_path / key)
        again = baseline.load(tmp_path / key)
        asked = ["好棒 good", "", "差 bad"]
        assert [a["score"] for a in again.predict(asked)] == pytest.approx([a["score"] for a in model.predict(asked)])
        (tmp_path / key / "predict.py").write_text((SNIPPETS / "simple_score.txt").read_text("utf-8"))
        alone = runpy.run_path(str(tmp_path / key / "predict.py"))
        assert [alone["numbers"](text)["score"] for text in asked] == pytest.approx(
            [a["score"] for a in model.predict(asked)], abs=1e-4
        )
    assert json.loads((tmp_path / "mean" / "baseline.json").read_text("utf-8"))["result"] == "score"
    assert Mean([1.0, 3.0], ABOUT).predict(["x"])[0]["score"] == 2.0
    assert Ridge.fit(["", " "], [1.0, 2.0], ABOUT, [], []) is None


@pytest.mark.parametrize("chinese", [False, True])
def test_words_in_common_follow_the_score_of_pairs(tmp_path, chinese):
    task = tasks.get("similarity")
    train, held = paired(150, 1, chinese), paired(60, 2, chinese)
    (model,) = fit_baselines(task, train, held, task.facts(train, task.Options()), 13).values()
    assert model.validation > 0.8
    model.save(tmp_path)
    again = baseline.load(tmp_path)
    assert again.predict(held[:3]) == model.predict(held[:3])
    (tmp_path / "predict.py").write_text((SNIPPETS / "simple_similarity.txt").read_text("utf-8"))
    alone = runpy.run_path(str(tmp_path / "predict.py"))
    asked = [{"first": row["first"], "second": row["second"]} for row in held[:5]]
    assert [alone["numbers"](row)["score"] for row in asked] == pytest.approx(
        [answer["score"] for answer in model.predict(asked)], abs=1e-4
    )
    assert Overlap.fit([{"first": "", "second": ""}], [1.0], ABOUT, [], []) is None


@pytest.mark.parametrize("chinese", [False, True])
def test_what_two_texts_share_tells_a_label_that_counting_all_words_cannot(tmp_path, chinese):
    task = tasks.get("pair_classification")

    def labelled(rows):
        return [{**row, "label": "same" if float(row["score"]) > 0.5 else "other"} for row in rows]

    train, held = labelled(paired(300, 1, chinese)), labelled(paired(80, 2, chinese))
    models = fit_baselines(task, train, held, {"labels": ["other", "same"]}, 13)
    assert list(models) == ["majority", "rules", "tfidf", "pair_overlap"]
    assert models["pair_overlap"].validation > models["tfidf"].validation + 0.05
    model = models["pair_overlap"]
    model.save(tmp_path)
    again = baseline.load(tmp_path)
    assert isinstance(again, PairOverlap)
    asked = [{"first": row["first"], "second": row["second"]} for row in held[:5]]
    assert again.predict(asked) == model.predict(asked)
    (tmp_path / "predict.py").write_text((SNIPPETS / "simple.txt").read_text("utf-8"))
    alone = runpy.run_path(str(tmp_path / "predict.py"))
    for row, answer in zip(asked, model.predict(asked), strict=True):
        assert alone["predict"](row) == pytest.approx(answer["scores"], abs=1e-4)
    assert PairOverlap.fit(asked, ["same"] * 5, ["same"]) is None
