"""Judges numbers: how far off they are in the unit of the data, and how well they follow the truth; the mean and
TF-IDF with a ridge regression as rivals."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.data.numbers import spoken
from studio.evaluation.kinds.base import Facts, Floats, Judge, Makers, judges
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Contender, Exam

POINTS = 1000
"""Test rows drawn at most; more only hide each other."""
_ALPHAS = (10.0, 30.0, 100.0, 300.0, 1000.0)
"""Penalties tried for the head's first weights. What an untouched encoder says has no noise, so that far smaller ones
look best there; but such large weights make every drop-out and every step of the encoder a leap (measured: a third
larger errors at the end)."""
_LENGTH = 5.0
_STILL = 1e-12


class ScoreJudge(Judge):
    """Predictions are {"score", "low", "high", "digits"}; expected are numbers."""

    key = "score"
    metrics = ("rmse", "mae", "pearson", "spearman")

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """One a row; size and square of the error; answer and truth with their squares and product, and the same of
        their ranks among these rows. All standardised, so that sums of them keep their digits.

        Drawn again, rows keep their ranks: Spearman's is the correlation of the two distribution functions, and these
        rows are what is known of them.
        """
        said = (np.array([answer["score"] for answer in answers], np.float64) - facts["mean"]) / facts["scale"]
        true = (np.array(expected, np.float64) - facts["mean"]) / facts["scale"]
        error = said - true
        return np.stack(
            [np.ones(len(true)), abs(error), error**2, *_moments(said, true), *_moments(_ranks(said), _ranks(true))],
            axis=1,
        )

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        rows = np.maximum(sums[:, 0], 1)
        return {
            "rmse": facts["scale"] * np.sqrt(sums[:, 2] / rows),
            "mae": facts["scale"] * sums[:, 1] / rows,
            "pearson": _correlation(sums[:, 3:8], rows),
            "spearman": _correlation(sums[:, 8:13], rows),
        }

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Squared error of standardised numbers, a row."""
        gaps = [(a["score"] - truth) / facts["scale"] for a, truth in zip(answers, expected, strict=True)]
        return math.fsum(gap * gap for gap in gaps) / max(len(gaps), 1) if all(map(math.isfinite, gaps)) else math.nan

    def shown(self, answer: Prediction) -> str:
        return spoken(answer["score"], answer["digits"])

    def numbers(self, answer: Prediction) -> list[float]:
        """The place within the range seen in training, so that gaps mean the same in every unit."""
        return [(answer["score"] - answer["low"]) / ((answer["high"] - answer["low"]) or 1.0)]

    def target(self, item: Mapping[str, Any]) -> float:
        return float(item["labels"])

    def fit_head(self, features: Any, targets: Sequence[Any]) -> tuple[Any, Any] | None:
        """Ridge regression, as strong as leaving out each row in turn says is best."""
        from sklearn.linear_model import RidgeCV

        if len(targets) < 3:
            return None
        scale = _LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-6)
        fitted = RidgeCV(alphas=_ALPHAS).fit(np.asarray(features, np.float64) * scale, np.array(targets))
        return fitted.coef_[None] * scale, np.array([fitted.intercept_])

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.scores import Mean, Ridge

        return {"mean": Mean, "ridge": Ridge}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        from studio.evaluation.scores import Mean, Ridge

        about = range_of(task, known, facts)
        texts, numbers = [task.question(row) for row in known], [float(task.expected(row)) for row in known]
        held, wanted = [task.question(row) for row in judged], [float(task.expected(row)) for row in judged]
        return {
            "mean": lambda: Mean(numbers, about),
            "ridge": lambda: Ridge.fit(texts, numbers, about, held, wanted),
        }

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> dict[str, Any]:
        """{"scatter": {"points": [[truth, answer, row]], "low", "high", "digits"}}."""
        places = list(range(len(expected)))
        if len(places) > POINTS:
            places = sorted(random.Random(exam.seed).sample(places, POINTS))
        points = [
            [float(expected[place]), round(float(chosen.answers[place]["score"]), 6), int(exam.numbers[place])]
            for place in places
        ]
        about = {name: exam.facts[name] for name in ("low", "high", "digits") if name in exam.facts}
        return {"scatter": {"points": points, **about}}

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """How far off, which way, and whether that is worth calling a mistake: by a tenth of the range."""
        error = float(answer["score"]) - float(expected)
        reach = 0.1 * (answer["high"] - answer["low"])
        return {"error": round(error, 6), "wrong": round(abs(error), 6) if abs(error) > reach else 0}


def range_of(task: Task, known: Rows, facts: Facts) -> dict[str, Any]:
    """The facts that go into a prediction besides its number; of these rows where nobody has told them."""
    about = facts if "low" in facts else task.facts(known, None)
    return {name: about[name] for name in ("low", "high", "digits")}


def _moments(one: Floats, other: Floats) -> list[Floats]:
    return [one, other, one * one, other * other, one * other]


def _ranks(values: Floats) -> Floats:
    """Average ranks, from about -1 to 1."""
    from scipy.stats import rankdata

    ranks: Floats = 2 * rankdata(values) / max(len(values), 1) - 1
    return ranks


def _correlation(sums: Floats, rows: Floats) -> Floats:
    """Pearson's, from sums of both, of their squares and of their product; 0 where one of them never changes."""
    one, other, squares, others, product = (sums[:, place] / rows for place in range(5))
    spread, spreads = squares - one**2, others - other**2
    moves = (spread > _STILL) & (spreads > _STILL)
    found: Floats = np.where(moves, (product - one * other) / np.sqrt(np.where(moves, spread * spreads, 1.0)), 0.0)
    return np.clip(found, -1.0, 1.0)


judges.register(ScoreJudge())
