"""How much of a score is left on texts with small faults: the same test rows with typos, other case, words lost or
swapped, beside the clean ones. For kinds whose truth does not move with the letters."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from studio.evaluation.exam import Contender, Exam, questions_of
from studio.evaluation.ladder import Progress
from studio.evaluation.metrics import confusion, of_counts
from studio.evaluation.noise import KINDS, noisy
from studio.training.cost import FAULTY_ROWS, FAULTY_SECONDS

FEWEST = 30
"""Rows below which a few answers move the score more than the faults do."""


def robustness(
    exam: Exam,
    rivals: Mapping[str, Contender],
    models: Mapping[str, Any],
    labels: Sequence[str],
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """{"rows", "metric", "seed", "models", "clean": {key: score}, "copies": [{"kind", key: score}]}; None where too
    few rows could be answered in time.

    `models` are those to try by their key in `rivals`, which have answered the clean rows; "tuned" takes rows, the
    others texts. The seed of the exam draws the rows and the faults. Kinds that change nothing (the case of Chinese)
    are left out.
    """
    slowest = max(rivals[key].milliseconds for key in models) / 1000
    most = min(FAULTY_ROWS, len(exam.rows), int(FAULTY_SECONDS / len(KINDS) / max(slowest, 1e-6)))
    if most < FEWEST:
        return None
    places = sorted(random.Random(exam.seed).sample(range(len(exam.rows)), most))
    rows, truths = [questions_of(exam)[place] for place in places], [str(exam.task.truth(exam.rows[p])) for p in places]

    def score(answers: Sequence[str]) -> float:
        return of_counts(confusion(answers, truths, labels))[exam.task.main_metric]

    copies: list[dict[str, Any]] = []
    for kind in KINDS:
        faulty = _copy(rows, kind, exam.seed)
        if faulty == rows:
            continue
        found: dict[str, Any] = {"kind": kind}
        for key, model in models.items():
            whole = key == "tuned" or getattr(model, "whole_rows", False)
            answers = model.predict(faulty if whole else [exam.task.question(row) for row in faulty])
            found[key] = score([answer["label"] for answer in answers])
        copies.append(found)
        if progress:
            progress(len(rivals), len(rivals))
    clean = {key: score([rivals[key].labels[place] for place in places]) for key in models}
    about = {"rows": most, "metric": exam.task.main_metric, "seed": exam.seed, "models": list(models)}
    return {**about, "clean": clean, "copies": copies}


def _copy(rows: Sequence[Mapping[str, Any]], kind: str, seed: int) -> list[dict[str, Any]]:
    """The rows with every text of theirs changed."""
    changed = {role: noisy([str(row[role] or "") for row in rows], kind, seed) for role in rows[0]}
    return [{role: changed[role][number] for role in row} for number, row in enumerate(rows)]
