"""Judges one label a row: accuracy, macro F1, precision, recall; majority, keyword rules and TF-IDF as rivals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.kinds.base import Facts, Judge, Makers, Progress, Report, judges
from studio.evaluation.metrics import confusion, known_labels, of_counts
from studio.events import Emit
from studio.tasks.base import Prediction, Rows, Task

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Exam

_LENGTH = 5.0
"""The mean length the features are scaled to, so that the strength of the penalty means the same for every model."""
_STRENGTH = 1.0


class LabelJudge(Judge):
    """Predictions are {"label", "scores": {label: probability}}."""

    key = "labels"
    metrics = ("accuracy", "macro_f1", "precision", "recall")

    def score(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, float]:
        said = [answer["label"] for answer in answers]
        return of_counts(confusion(said, expected, known_labels(said, expected, facts)))

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a row."""
        losses = [
            -math.log(max(answer["scores"][truth], 1e-30))
            if answer["scores"][truth] == answer["scores"][truth]
            else math.nan
            for answer, truth in zip(answers, expected, strict=True)
            if truth in answer["scores"]
        ]
        return sum(losses) / max(len(losses), 1)

    def scorable(self, expected: Any, facts: Facts) -> bool:
        return expected in facts["labels"]

    def shown(self, answer: Prediction) -> str:
        return str(answer["label"])

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        return bool(answer["label"] == expected)

    def certainty(self, answer: Prediction) -> float | None:
        return float(answer["scores"][answer["label"]])

    def numbers(self, answer: Prediction) -> list[float]:
        return list(answer["scores"].values())

    def target(self, item: Mapping[str, Any]) -> int:
        return int(item["labels"])

    def fit_head(self, features: Any, targets: Sequence[Any]) -> tuple[Any, Any] | None:
        """Multinomial logistic regression; a label that none of the rows has is not known."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if len(set(targets)) < 2:
            return None
        scale = _LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is enough: the steps go on from it
            fitted = LogisticRegression(C=_STRENGTH, max_iter=200, tol=1e-3).fit(features * scale, np.array(targets))
        coefficients, intercepts = fitted.coef_ * scale, fitted.intercept_
        if len(fitted.classes_) == 2:
            coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
            intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
        weight = np.full((max(targets) + 1, features.shape[1]), np.nan)
        bias = np.full(max(targets) + 1, np.nan)
        weight[fitted.classes_], bias[fitted.classes_] = coefficients, intercepts
        return weight, bias

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.baseline import Majority
        from studio.evaluation.overlap import PairOverlap
        from studio.evaluation.rules import Rules
        from studio.evaluation.tfidf import Tfidf

        return {"majority": Majority, "rules": Rules, "tfidf": Tfidf, "pair_overlap": PairOverlap}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        """TF-IDF is missing where the training rows have one label only or nothing to count. Of two texts, what they
        have in common is counted too."""
        from studio.evaluation.baseline import Majority
        from studio.evaluation.overlap import PairOverlap
        from studio.evaluation.rules import Rules
        from studio.evaluation.tfidf import Tfidf

        texts, truths = [task.question(row) for row in known], [str(task.truth(row)) for row in known]
        held, expected = [task.question(row) for row in judged], [str(task.truth(row)) for row in judged]
        labels = list(facts.get("labels") or sorted(set(truths)))
        found: Makers = {
            "majority": lambda: Majority.fit(truths, labels),
            "rules": lambda: Rules.fit(texts, truths, labels, seed),
            "tfidf": lambda: Tfidf.fit(texts, truths, labels, held, expected),
        }
        return {**found, "pair_overlap": lambda: PairOverlap.fit(known, truths, labels)} if _pairs(task) else found

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """A guess by label names; of two texts, what a label is called says nothing of them."""
        if _pairs(task):
            return None
        from studio.evaluation.untuned import Untuned

        device = str(next(tuned.model.parameters()).device)
        return Untuned.load(base, facts["labels"], facts.get("prefix", ""), tuned.max_length, device)

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Any,
        untuned: Any,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        from studio.evaluation.label_report import label_report

        return label_report(run_dir, exam, simple, tuned, untuned, progress)


def _pairs(task: Task) -> bool:
    return len(task.asked) == 2


judges.register(LabelJudge())
