"""TF-IDF with logistic regression, the simple model that is hardest to beat: words or characters, whichever is
better on the validation rows. Fitting needs scikit-learn, answering numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.evaluation.baseline import Baseline, Question
from studio.evaluation.metrics import score
from studio.evaluation.ngrams import ANALYSERS, Floats, Sparse, Vectoriser
from studio.tasks.base import Prediction

MOST_NGRAMS = 60_000
_MOST_WEIGHTS = 4_000_000
# Inverse regularisation. 1 is scikit-learn's default, 10 does better on most short texts; with many labels the second
# fit would take longer than a person waits, and 10 is the better of the two there.
_STRENGTHS = (1.0, 10.0)
_MANY_LABELS = 20


class Tfidf(Baseline):
    """Weights [n-grams, outputs] over a `Vectoriser`; with two labels there is one output, for the second."""

    key = "tfidf"

    def __init__(
        self, labels: Sequence[str], learnt: Sequence[str], vectoriser: Vectoriser, weights: Floats, bias: Floats
    ) -> None:
        super().__init__(labels)
        self.learnt = list(learnt)
        self.vectoriser = vectoriser
        self.weights = weights
        self.bias = bias

    @property
    def analyser(self) -> str:
        """word or char: which n-grams did better."""
        return self.vectoriser.analyser

    @staticmethod
    def fit(
        texts: Sequence[str],
        truths: Sequence[str],
        labels: Sequence[str],
        held: Sequence[str],
        expected: Sequence[str],
    ) -> Tfidf | None:
        """The candidate with the best macro-F1 on the `held` rows; without any, characters. None when nothing can be
        told apart: one label only, or no known n-gram at all."""
        if len(set(truths)) < 2:
            return None
        found: list[tuple[float, Tfidf]] = []
        for analyser in ANALYSERS if held else ("char",):
            vectoriser = Vectoriser(analyser)
            rows = vectoriser.fit(texts, min(MOST_NGRAMS, _MOST_WEIGHTS // len(labels)))
            if not len(vectoriser.codes):
                continue
            asked = vectoriser.transform(held)
            for strength in _STRENGTHS if held and len(labels) <= _MANY_LABELS else _STRENGTHS[1:]:
                model = Tfidf(labels, *_regress(rows, truths, strength, vectoriser))
                answers = model._answer(asked)
                value = score("labels", answers, expected, {"labels": labels})["macro_f1"] if held else 0.0
                found.append((value, model))
        return max(found, key=lambda item: item[0])[1] if found else None

    @staticmethod
    def of(texts: Sequence[str], truths: Sequence[str], labels: Sequence[str], analyser: str) -> Tfidf | None:
        """The model over one kind of n-grams; None as for `fit`."""
        if len(set(truths)) < 2:
            return None
        vectoriser = Vectoriser(analyser)
        rows = vectoriser.fit(texts, min(MOST_NGRAMS, _MOST_WEIGHTS // len(labels)))
        if not len(vectoriser.codes):
            return None
        return Tfidf(labels, *_regress(rows, truths, _STRENGTHS[-1], vectoriser))

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return self._answer(self.vectoriser.transform([text or "" for text in texts]))

    def _answer(self, rows: Sparse) -> list[Prediction]:
        logits = rows.times(self.weights).astype(np.float64) + self.bias
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        unseen = dict.fromkeys(self.labels, 0.0)
        return [
            {
                "label": self.learnt[int(row.argmax())],
                "scores": {**unseen, **dict(zip(self.learnt, row.tolist(), strict=True))},
            }
            for row in shares
        ]

    def _write(self, folder: Path) -> dict[str, Any]:
        self.vectoriser.save(folder)
        np.savez_compressed(folder / "weights.npz", weights=self.weights, bias=self.bias)
        return {"learnt": self.learnt, "analyser": self.analyser}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Tfidf:
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            weights, bias = arrays["weights"], arrays["bias"]
        return Tfidf(facts["labels"], facts["learnt"], Vectoriser.load(folder), weights, bias)


def _regress(
    rows: Sparse, truths: Sequence[str], strength: float, vectoriser: Vectoriser
) -> tuple[list[str], Vectoriser, Floats, Floats]:
    """Multinomial logistic regression by L-BFGS; it needs no seed."""
    import warnings

    from scipy.sparse import csr_matrix
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    matrix = csr_matrix((rows.values, rows.columns, rows.starts), shape=(len(truths), rows.width))
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        # A model that is not quite converged after 200 rounds is still a fair one, and judged on validation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(matrix, list(truths))
    learnt = [str(label) for label in model.classes_]
    return learnt, vectoriser, model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
