"""Scores of answers against the truth, one set per result kind, in numpy. No model, no file, no words.

Averages are macro: every class that stands in the truth or in the answers weighs the same, as in scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def score(
    result: str, predictions: Sequence[Mapping[str, Any]], truths: Sequence[Any], facts: Mapping[str, Any]
) -> dict[str, float]:
    """All metrics of a result kind, as its judge has them; `truths` as `Task.expected` gives them.

    Raises ValueError for another kind or when nothing can be scored.
    """
    from studio.evaluation.kinds.base import judges

    if result not in judges.keys():
        raise ValueError(f"no metrics for result kind {result!r}")
    return judges.get(result).score([dict(item) for item in predictions], truths, facts)


def known_labels(answers: Sequence[str], truths: Sequence[str | None], facts: Mapping[str, Any]) -> list[str]:
    """The model's labels in their order, then any other that stands in answers or truths."""
    first = list(facts.get("labels", ()))
    more = {label for label in (*answers, *truths) if label is not None} - set(first)
    return first + sorted(more)


def confusion(answers: Sequence[str], truths: Sequence[str | None], labels: Sequence[str]) -> Counts:
    """Counts [truth, answer] over the rows that have a truth."""
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for answer, truth in zip(answers, truths, strict=True):
        if truth is not None:
            counts[place[truth], place[answer]] += 1
    return counts


def of_counts(counts: Counts) -> dict[str, float]:
    """accuracy, macro_f1, precision and recall of one confusion matrix. Raises ValueError when it is empty."""
    if not counts.sum():
        raise ValueError("no row has a truth to score against")
    right = np.diagonal(counts)
    each = class_scores(right, counts.sum(axis=0), counts.sum(axis=1))
    seen = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    return {
        "accuracy": float(right.sum() / counts.sum()),
        "macro_f1": float(each["f1"][seen].mean()),
        "precision": float(each["precision"][seen].mean()),
        "recall": float(each["recall"][seen].mean()),
    }


def class_scores(right: Floats | Counts, answered: Floats | Counts, true: Floats | Counts) -> dict[str, Floats]:
    """Precision, recall and F1 from counts of any shape; a class with nothing to divide by scores 0."""
    return {
        "precision": _share(right, answered),
        "recall": _share(right, true),
        "f1": _share(2 * right, answered + true),
    }


def _share(part: Floats | Counts, whole: Floats | Counts) -> Floats:
    return np.divide(part, whole, out=np.zeros(np.shape(part), np.float64), where=np.asarray(whole) > 0)


def per_class(counts: Counts, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One entry a label: precision, recall, f1, rows (truths) and answers (times predicted)."""
    answered, true = counts.sum(axis=0), counts.sum(axis=1)
    each = class_scores(np.diagonal(counts), answered, true)
    return [
        {
            "label": label,
            **{name: float(values[place]) for name, values in each.items()},
            "rows": int(true[place]),
            "answers": int(answered[place]),
        }
        for place, label in enumerate(labels)
    ]


def of_losses(losses: Sequence[float], tokens: Sequence[int]) -> dict[str, float]:
    """Loss a token and perplexity from summed losses and token counts by row. Raises ValueError without tokens."""
    count = int(sum(tokens))
    if not count:
        raise ValueError("no answer token to score")
    loss = float(np.sum(np.asarray(losses, np.float64))) / count
    return {"loss": loss, "perplexity": perplexity(loss)}


def perplexity(loss: float) -> float:
    """exp(loss); a loss beyond 50 (or none at all) counts as 50, so that the number can be written down."""
    return math.exp(min(loss, 50.0)) if loss == loss else math.exp(50.0)
