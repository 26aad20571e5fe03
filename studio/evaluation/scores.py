"""Simple models of numbers: their mean, and TF-IDF with a ridge regression. Fitting needs scikit-learn, answering
numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.evaluation.baseline import Baseline, Question
from studio.evaluation.ngrams import ANALYSERS, Floats, Sparse, Vectoriser
from studio.tasks.base import Prediction
from studio.tasks.regression import scored

MOST_NGRAMS = 60_000
_ALPHAS = (0.3, 1.0, 3.0, 10.0)
_ROUNDS = 200


class Mean(Baseline):
    """Always the mean of the training numbers, the best of all constant answers for squared errors."""

    key = "mean"
    result = "score"
    lower_is_better = True

    def __init__(self, numbers: Sequence[float], about: Mapping[str, Any]) -> None:
        super().__init__()
        self.mean, self.about = float(np.mean(numbers)), dict(about)

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [scored(self.mean, self.about) for _ in texts]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"mean": self.mean, "about": self.about}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Mean:
        return Mean([facts["mean"]], facts["about"])


class Ridge(Baseline):
    """Weights [n-grams, 1] over a `Vectoriser`: words or characters, and as strong a penalty as does best on the
    validation rows."""

    key = "ridge"
    result = "score"
    lower_is_better = True

    def __init__(self, vectoriser: Vectoriser, weights: Floats, bias: float, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.vectoriser, self.weights, self.bias, self.about = vectoriser, weights, bias, dict(about)

    @staticmethod
    def fit(
        texts: Sequence[str],
        numbers: Sequence[float],
        about: Mapping[str, Any],
        held: Sequence[str],
        wanted: Sequence[float],
    ) -> Ridge | None:
        """The candidate with the least squared error on the `held` rows; without any, characters. None where nothing
        can be counted."""
        found: list[tuple[float, int, Ridge]] = []
        for analyser in ANALYSERS if held else ("char",):
            vectoriser = Vectoriser(analyser)
            rows = vectoriser.fit(texts, MOST_NGRAMS)
            if not len(vectoriser.codes):
                continue
            asked = vectoriser.transform(held)
            for alpha in _ALPHAS if held else (1.0,):
                weights, bias = _regress(rows, numbers, alpha)
                model = Ridge(vectoriser, weights, bias, about)
                error = float(np.mean((model._values(asked) - np.array(wanted)) ** 2)) if held else 0.0
                found.append((error, len(found), model))
        return min(found, key=lambda item: item[:2])[2] if found else None

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        values = self._values(self.vectoriser.transform([text or "" for text in texts]))
        return [scored(float(value), self.about) for value in values]

    def _values(self, rows: Sparse) -> Any:
        return rows.times(self.weights)[:, 0].astype(np.float64) + self.bias

    def _write(self, folder: Path) -> dict[str, Any]:
        self.vectoriser.save(folder)
        np.savez_compressed(folder / "weights.npz", weights=self.weights)
        return {"analyser": self.vectoriser.analyser, "bias": self.bias, "about": self.about}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Ridge:
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            weights = arrays["weights"]
        return Ridge(Vectoriser.load(folder), weights, facts["bias"], facts["about"])


def _regress(rows: Sparse, numbers: Sequence[float], alpha: float) -> tuple[Floats, float]:
    """Ridge regression by conjugate gradients around the mean; it needs no seed."""
    import warnings

    from scipy.sparse import csr_matrix
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Ridge as Regression

    matrix = csr_matrix((rows.values, rows.columns, rows.starts), shape=(len(numbers), rows.width))
    with warnings.catch_warnings():
        # Nearly there is enough: it is judged on validation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Regression(alpha=alpha, solver="sparse_cg", max_iter=_ROUNDS, tol=1e-4).fit(matrix, np.array(numbers))
    return model.coef_.astype(np.float32)[:, None], float(model.intercept_)
