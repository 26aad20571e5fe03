"""Judges label sets: micro and macro F1, exact match; a threshold a label, tuned on the validation rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.data.labelsets import written
from studio.evaluation.kinds.base import Facts, Floats, Judge, Makers, judges
from studio.evaluation.metrics import class_scores
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Contender, Exam

_GRID = np.round(np.arange(0.05, 0.96, 0.05), 2)
_FEWEST = 5
"""Validation rows of a label from which on it gets a threshold of its own."""
_LENGTH = 5.0


class MultiLabelJudge(Judge):
    """Predictions are {"labels", "scores": {label: probability}, "thresholds"}; expected are lists of labels."""

    key = "multilabel"
    metrics = ("micro_f1", "macro_f1", "exact_match")

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """Right, answered and true of each known label; exact matches; true labels nobody knows; one a row."""
        labels = list(facts["labels"])
        said, true = (_marks(sets, labels) for sets in ([answer["labels"] for answer in answers], expected))
        unknown = np.array([[len(set(truth) - set(labels))] for truth in expected], np.float64)
        exact = (said == true).all(axis=1, keepdims=True) & (unknown == 0)
        return np.hstack([said * true, said, true, exact, unknown, np.ones((len(said), 1))]).astype(np.float64)

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        count = len(facts["labels"])
        right, said, true = sums[:, :count], sums[:, count : 2 * count], sums[:, 2 * count : 3 * count]
        exact, unknown, rows = sums[:, -3], sums[:, -2], sums[:, -1]
        each = class_scores(right, said, true)["f1"]
        seen = (said + true) > 0
        whole = said.sum(axis=1) + true.sum(axis=1) + unknown
        return {
            "micro_f1": 2 * right.sum(axis=1) / np.maximum(whole, 1),
            "macro_f1": (each * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1),
            "exact_match": exact / np.maximum(rows, 1),
        }

    def imagined(self, tallies: Floats, facts: Facts) -> tuple[Floats, Floats]:
        count, mean = len(facts["labels"]), tallies.mean(axis=0)
        true = mean[2 * count : 3 * count]
        right = np.concatenate([true, true, true, [1.0, 0.0, 1.0]])
        wrong = np.concatenate([0 * true, 0 * true, true, [0.0, 0.0, 1.0]])
        return right, wrong

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Binary cross-entropy, averaged over labels and rows."""
        losses = []
        for answer, truth in zip(answers, expected, strict=True):
            for label, share in answer["scores"].items():
                hit = share if label in truth else 1 - share
                losses.append(-math.log(max(hit, 1e-30)) if hit == hit else math.nan)
        return sum(losses) / max(len(losses), 1)

    def scorable(self, expected: Any, facts: Facts) -> bool:
        return expected is not None

    def settle(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, Any]:
        return {"thresholds": thresholds([answer["scores"] for answer in answers], expected, facts["labels"])}

    def shown(self, answer: Prediction) -> str:
        return written(answer["labels"])

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        return set(answer["labels"]) == set(expected)

    def certainty(self, answer: Prediction) -> float | None:
        """The probability that all of it is right, were the labels independent."""
        sure = 1.0
        for label, share in answer["scores"].items():
            sure *= share if label in answer["labels"] else 1 - share
        return sure

    def numbers(self, answer: Prediction) -> list[float]:
        return list(answer["scores"].values())

    def fit_head(self, features: Any, targets: Sequence[Any]) -> tuple[Any, Any] | None:
        """A logistic regression for each label; NaN for one that no row has, or every row."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        marks = np.array(targets)
        scale = _LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-6)
        weight, bias = np.full((marks.shape[1], features.shape[1]), np.nan), np.full(marks.shape[1], np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for place in np.flatnonzero((marks.min(axis=0) == 0) & (marks.max(axis=0) == 1)):
                fitted = LogisticRegression(max_iter=100, tol=1e-3).fit(features * scale, marks[:, place])
                weight[place], bias[place] = fitted.coef_[0] * scale, fitted.intercept_[0]
        return None if np.isnan(bias).all() else (weight, bias)

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.label_sets import MajoritySet, TfidfSet

        return {"majority_set": MajoritySet, "tfidf_set": TfidfSet}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        from studio.evaluation.label_sets import MajoritySet, TfidfSet

        sets = [list(task.expected(row)) for row in known]
        labels = list(facts.get("labels") or sorted({label for one in sets for label in one}))
        texts, held = [task.question(row) for row in known], [task.question(row) for row in judged]
        wanted = [list(task.expected(row)) for row in judged]
        return {
            "majority_set": lambda: MajoritySet.fit(sets, labels),
            "tfidf_set": lambda: TfidfSet.fit(texts, sets, labels, held, wanted),
        }

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> dict[str, Any]:
        """Precision, recall and F1 of each label."""
        labels = list(exam.facts["labels"])
        sums = self.tallies(chosen.answers, expected, exam.facts).sum(axis=0)
        right, said, true = (sums[start : start + len(labels)] for start in (0, len(labels), 2 * len(labels)))
        each = class_scores(right, said, true)
        classes = [
            {
                "label": label,
                **{name: float(values[place]) for name, values in each.items()},
                "rows": int(true[place]),
                "answers": int(said[place]),
            }
            for place, label in enumerate(labels)
        ]
        bounds: dict[str, float] = next((answer["thresholds"] for answer in chosen.answers), {})
        return {"classes": classes, "thresholds": bounds}

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """How many labels are wrong, and more so the surer it was."""
        missed = set(answer["labels"]) ^ set(expected)
        sure = self.certainty(answer) or 0.0
        return {
            "scores": {label: round(float(share), 6) for label, share in answer["scores"].items()},
            "confidence": round(sure, 6),
            "wrong": len(missed) + sure if missed else 0,
        }


def thresholds(
    scores: Sequence[Mapping[str, float]], expected: Sequence[Sequence[str]], labels: Sequence[str]
) -> dict[str, float]:
    """For each label the probability from which on it is given: the one with the best F1 on these rows, the nearest to
    a half of equals; labels with few rows share the one that does best for all labels together."""
    if not scores:
        return {}
    shares = np.array([[row.get(label, 0.0) for label in labels] for row in scores])
    true = _marks(expected, labels)
    given = shares[None] >= _GRID[:, None, None]
    right, said, wanted = (given & true).sum(axis=1), given.sum(axis=1), true.sum(axis=0)
    each = 2 * right / np.maximum(said + wanted, 1)
    whole = 2 * right.sum(axis=1) / np.maximum(said.sum(axis=1) + wanted.sum(), 1)
    shared = _best(whole)
    return {
        label: float(_GRID[_best(each[:, place])] if wanted[place] >= _FEWEST else _GRID[shared])
        for place, label in enumerate(labels)
    }


def _best(values: Floats) -> int:
    """The place of the best threshold: of equally good ones the one nearest to a half."""
    good = np.flatnonzero(values >= values.max() - 1e-9)
    return int(good[np.argmin(np.abs(_GRID[good] - 0.5))])


def _marks(sets: Sequence[Sequence[str]], labels: Sequence[str]) -> Any:
    place = {label: number for number, label in enumerate(labels)}
    made = np.zeros((len(sets), len(labels)), bool)
    for row, one in enumerate(sets):
        for label in one:
            if label in place:
                made[row, place[label]] = True
    return made


judges.register(MultiLabelJudge())
