"""Precision, recall and F1 of entities, as seqeval counts them: one is right when its type and both its ends are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from studio.evaluation.metrics import class_scores

Entities = Sequence[Sequence[Any]]
"""[start, end, type] each."""


def tally(answer: Entities, expected: Entities) -> tuple[int, int, int]:
    """How many entities were right, answered and expected in one row."""
    said, true = {tuple(one[:3]) for one in answer}, {tuple(one[:3]) for one in expected}
    return len(said & true), len(said), len(true)


def per_type(rows: Iterable[tuple[Entities, Entities]]) -> list[dict[str, Any]]:
    """One entry a type, sorted: precision, recall, f1, rows (entities expected) and answers (entities answered)."""
    right: Counter[str] = Counter()
    said: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for answer, expected in rows:
        one, other = {tuple(entity[:3]) for entity in answer}, {tuple(entity[:3]) for entity in expected}
        right.update(kind for _, _, kind in one & other)
        said.update(kind for _, _, kind in one)
        true.update(kind for _, _, kind in other)
    names = sorted(said | true)
    counts = (np.array([counter[name] for name in names], np.int64) for counter in (right, said, true))
    each = class_scores(*counts)
    return [
        {
            "label": name,
            **{metric: float(values[place]) for metric, values in each.items()},
            "rows": true[name],
            "answers": said[name],
        }
        for place, name in enumerate(names)
    ]


def differences(answer: Entities, expected: Entities) -> dict[str, list[list[Any]]]:
    """What is wrong in one row: entities `missed`, `invented`, and those of the right place but another `type`."""
    said, true = {tuple(one[:3]) for one in answer}, {tuple(one[:3]) for one in expected}
    places = {(start, end): kind for start, end, kind in true}
    renamed = [one for one in said - true if (one[0], one[1]) in places]
    gone = {(one[0], one[1]) for one in renamed}
    return {
        "missed": sorted(list(one) for one in true - said if (one[0], one[1]) not in gone),
        "invented": sorted(list(one) for one in said - true if (one[0], one[1]) not in gone),
        "type": sorted([*one, places[one[0], one[1]]] for one in renamed),
    }
