"""Simple models of label sets: the commonest set, and TF-IDF with a logistic regression for each label. Fitting the
latter needs scikit-learn, answering numpy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.evaluation.baseline import Baseline, Question
from studio.evaluation.ngrams import Floats, Vectoriser
from studio.tasks.base import Prediction
from studio.tasks.multilabel import answer_of

MOST_NGRAMS = 30_000
_MOST_WEIGHTS = 4_000_000
_STRENGTH = 10.0
_NEVER = -12.0


class MajoritySet(Baseline):
    """Always the commonest set of labels of the training rows. Having none is a set only where no row has any: an F1
    of nothing given is 0, which anything would beat."""

    key = "majority_set"
    result = "multilabel"

    def __init__(self, labels: Sequence[str], chosen: Sequence[str], shares: Mapping[str, float]) -> None:
        super().__init__(labels)
        self.chosen, self.shares = list(chosen), dict(shares)

    @staticmethod
    def fit(sets: Sequence[Sequence[str]], labels: Sequence[str]) -> MajoritySet:
        counts = Counter(tuple(sorted(set(one) & set(labels))) for one in sets)
        filled = [one for one in counts if one] or list(counts)
        chosen = min(filled, key=lambda one: (-counts[one], one))
        each = Counter(label for one in sets for label in one)
        return MajoritySet(labels, chosen, {label: each[label] / len(sets) for label in labels})

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [
            {
                "labels": list(self.chosen),
                "scores": dict(self.shares),
                # Bounds that say the same as the answer.
                "thresholds": {label: 0.0 if label in self.chosen else 1.0 for label in self.labels},
            }
            for _ in texts
        ]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"chosen": self.chosen, "shares": self.shares}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> MajoritySet:
        return MajoritySet(facts["labels"], facts["chosen"], facts["shares"])


class TfidfSet(Baseline):
    """Weights [n-grams, labels] over a `Vectoriser`, with thresholds tuned as those of the neural model are."""

    key = "tfidf_set"
    result = "multilabel"

    def __init__(
        self,
        labels: Sequence[str],
        vectoriser: Vectoriser,
        weights: Floats,
        bias: Floats,
        thresholds: Mapping[str, float],
    ) -> None:
        super().__init__(labels)
        self.vectoriser, self.weights, self.bias = vectoriser, weights, bias
        self.thresholds = dict(thresholds)

    @staticmethod
    def fit(
        texts: Sequence[str],
        sets: Sequence[Sequence[str]],
        labels: Sequence[str],
        held: Sequence[str],
        wanted: Sequence[Sequence[str]],
    ) -> TfidfSet | None:
        """Words or, where there are none to speak of, characters; None where nothing can be counted."""
        from studio.evaluation.kinds.multilabel import thresholds

        spaced = sum(" " in text.strip() for text in texts[:200]) > min(len(texts), 200) / 2
        vectoriser = Vectoriser("word" if spaced else "char")
        rows = vectoriser.fit(texts, min(MOST_NGRAMS, _MOST_WEIGHTS // max(len(labels), 1)))
        if not len(vectoriser.codes):
            return None
        weights, bias = _regress(rows, sets, labels)
        model = TfidfSet(labels, vectoriser, weights, bias, {})
        if held:
            scores = [answer["scores"] for answer in model.predict(held)]
            model.thresholds = thresholds(scores, wanted, labels)
        return model

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        rows = self.vectoriser.transform([text or "" for text in texts])
        logits = rows.times(self.weights).astype(np.float64) + self.bias
        shares = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        return [answer_of(dict(zip(self.labels, row.tolist(), strict=True)), self.thresholds) for row in shares]

    def _write(self, folder: Path) -> dict[str, Any]:
        self.vectoriser.save(folder)
        np.savez_compressed(folder / "weights.npz", weights=self.weights, bias=self.bias)
        return {"analyser": self.vectoriser.analyser, "thresholds": self.thresholds}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> TfidfSet:
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            weights, bias = arrays["weights"], arrays["bias"]
        return TfidfSet(facts["labels"], Vectoriser.load(folder), weights, bias, facts["thresholds"])


def _regress(rows: Any, sets: Sequence[Sequence[str]], labels: Sequence[str]) -> tuple[Floats, Floats]:
    """One logistic regression a label; a label that no row has, or every row, gets a constant."""
    import warnings

    from scipy.sparse import csr_matrix
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    matrix = csr_matrix((rows.values, rows.columns, rows.starts), shape=(len(sets), rows.width))
    weights, bias = np.zeros((rows.width, len(labels)), np.float32), np.zeros(len(labels), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for place, label in enumerate(labels):
            marks = np.array([label in one for one in sets])
            if marks.all() or not marks.any():
                bias[place] = -_NEVER if marks.any() else _NEVER
                continue
            model = LogisticRegression(C=_STRENGTH, max_iter=100, tol=1e-3).fit(matrix, marks)
            weights[:, place], bias[place] = model.coef_[0], model.intercept_[0]
    return weights, bias
