"""Simple models of two texts: what they have in common, counted. A line from that to a score, or a regression from it
to labels. Fitting needs scikit-learn, answering numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.evaluation.baseline import Baseline
from studio.evaluation.ngrams import ANALYSERS, Sparse, Vectoriser
from studio.tasks.base import Prediction, Row
from studio.tasks.regression import scored

MOST_NGRAMS = 60_000
ROLES = ("first", "second")


class Overlap(Baseline):
    """The cosine of the two texts' TF-IDF vectors, of words or characters, whichever follows the validation scores
    better; and a line from it to the scores."""

    key = "overlap"
    result = "similarity"
    whole_rows = True

    def __init__(self, vectoriser: Vectoriser, slope: float, offset: float, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.vectoriser, self.slope, self.offset, self.about = vectoriser, slope, offset, dict(about)

    @staticmethod
    def fit(
        known: Sequence[Row],
        scores: Sequence[float],
        about: Mapping[str, Any],
        held: Sequence[Row],
        wanted: Sequence[float],
    ) -> Overlap | None:
        """None where nothing can be counted."""
        from scipy.stats import spearmanr

        found: list[tuple[float, int, Overlap]] = []
        for analyser in ANALYSERS:
            vectoriser = fitted(analyser, known)
            if not len(vectoriser.codes):
                continue
            model = Overlap(vectoriser, *line(cosines(vectoriser, known), scores), about)
            asked, truth = (held, wanted) if held else (known, scores)
            near = cosines(vectoriser, asked)
            follows = abs(float(spearmanr(near, truth)[0])) if len(set(near)) > 1 and len(set(truth)) > 1 else 0.0
            found.append((follows, -len(found), model))
        return max(found, key=lambda item: item[:2])[2] if found else None

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        near = cosines(self.vectoriser, rows)
        return [scored(self.slope * cosine + self.offset, self.about, cosine=cosine) for cosine in near]

    def _write(self, folder: Path) -> dict[str, Any]:
        self.vectoriser.save(folder)
        values = {"slope": self.slope, "offset": self.offset, "about": self.about}
        return {"analyser": self.vectoriser.analyser, **values}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Overlap:
        return Overlap(Vectoriser.load(folder), facts["slope"], facts["offset"], facts["about"])


class PairOverlap(Baseline):
    """A logistic regression from four numbers: the TF-IDF cosine, which shares of either text the other one holds, and
    how much longer one is. What counting both texts' words together cannot see."""

    key = "pair_overlap"
    result = "labels"
    whole_rows = True

    def __init__(
        self, labels: Sequence[str], learnt: Sequence[str], vectoriser: Vectoriser, weights: Any, bias: Any
    ) -> None:
        super().__init__(labels)
        self.learnt, self.vectoriser = list(learnt), vectoriser
        self.weights, self.bias = np.array(weights, np.float64), np.array(bias, np.float64)

    @staticmethod
    def fit(rows: Sequence[Row], truths: Sequence[str], labels: Sequence[str]) -> PairOverlap | None:
        """Words or, where there are none to speak of, characters; None where nothing can be told apart."""
        from sklearn.linear_model import LogisticRegression

        vectoriser = fitted("word" if _spaced(rows) else "char", rows)
        if len(set(truths)) < 2 or not len(vectoriser.codes):
            return None
        numbers = signs(vectoriser, rows)
        mean, spread = numbers.mean(axis=0), np.maximum(numbers.std(axis=0), 1e-6)
        model = LogisticRegression(max_iter=500).fit((numbers - mean) / spread, list(truths))
        weights = model.coef_ / spread
        bias = model.intercept_ - weights @ mean
        return PairOverlap(labels, [str(label) for label in model.classes_], vectoriser, weights, bias)

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        logits = signs(self.vectoriser, rows) @ self.weights.T + self.bias
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
        told = {"weights": self.weights.tolist(), "bias": self.bias.tolist()}
        return {"analyser": self.vectoriser.analyser, "learnt": self.learnt, **told}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> PairOverlap:
        return PairOverlap(facts["labels"], facts["learnt"], Vectoriser.load(folder), facts["weights"], facts["bias"])


def fitted(analyser: str, rows: Sequence[Row]) -> Vectoriser:
    """A vectoriser of all texts of the pairs."""
    vectoriser = Vectoriser(analyser)
    vectoriser.fit([row.get(role) or "" for row in rows for role in ROLES], MOST_NGRAMS)
    return vectoriser


def cosines(vectoriser: Vectoriser, rows: Sequence[Row]) -> list[float]:
    """The cosine of each pair's TF-IDF vectors, 0 to 1."""
    sides = _sides(vectoriser, rows)
    return [_shared(sides, place)[0] for place in range(len(rows))]


def signs(vectoriser: Vectoriser, rows: Sequence[Row]) -> Any:
    """[rows, 4]: the cosine, the share of the first text's weight that stands in the second and the other way round,
    and the logarithm of how many times longer the second is."""
    sides = _sides(vectoriser, rows)
    found = np.zeros((len(rows), 4))
    for place, row in enumerate(rows):
        sizes = [1 + len(row.get(role) or "") for role in ROLES]
        found[place] = [*_shared(sides, place), np.log(sizes[1] / sizes[0])]
    return found


def line(values: Sequence[float], scores: Sequence[float]) -> tuple[float, float]:
    """Slope and offset by least squares; no slope where the values are all the same."""
    across = np.array(values, np.float64)
    if across.std() < 1e-9:
        return 0.0, float(np.mean(scores))
    slope, offset = np.polyfit(across, np.array(scores, np.float64), 1)
    return float(slope), float(offset)


def _sides(vectoriser: Vectoriser, rows: Sequence[Row]) -> list[Sparse]:
    return [vectoriser.transform([row.get(role) or "" for row in rows]) for role in ROLES]


def _shared(sides: Sequence[Sparse], place: int) -> tuple[float, float, float]:
    """The cosine of two rows of unit length, and how much of either's squared length lies where both have some."""
    (one, ones), (other, others) = (
        (
            side.columns[side.starts[place] : side.starts[place + 1]],
            side.values[side.starts[place] : side.starts[place + 1]],
        )
        for side in sides
    )
    _, mine, theirs = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    first, second = ones[mine].astype(np.float64), others[theirs].astype(np.float64)
    return float(first @ second), float(first @ first), float(second @ second)


def _spaced(rows: Sequence[Row]) -> bool:
    texts = [row.get(role) or "" for row in rows[:100] for role in ROLES]
    return sum(" " in text.strip() for text in texts) > len(texts) / 2
