"""The simple models every run is compared with: majority, keyword rules, TF-IDF with logistic regression.

They are fitted in seconds, need no neural model, and answer with numpy alone (only fitting imports scikit-learn).
Saved as JSON and npz, never pickle.
"""

from __future__ import annotations

import json
import math
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from studio.files import write_whole
from studio.tasks.base import Prediction, Rows, Task

FOLDER = "baselines"
"""Where a run keeps them: <run>/baselines/<key>/."""
KEYS = ("majority", "rules", "tfidf")
MOST_ROWS = 20_000
"""Training rows read at most, drawn by the run's seed; the report says so. Word statistics of 20 000 short texts with
two labels take ten seconds of one core, of 50 000 twenty; long texts and many labels take many times that, beside a
training that wants the cores."""
Question = str | None


class Baseline(ABC):
    """A fitted simple model. `rows` it learnt from (0: not known), `seconds` it took to fit, `validation` its main
    metric there (None without such rows)."""

    key: ClassVar[str]
    result: ClassVar[str] = "labels"
    """The result kind of its answers."""
    lower_is_better: ClassVar[bool] = False
    """Whether `validation` is."""
    whole_rows: ClassVar[bool] = False
    """Whether it reads rows by role, without the truth, rather than the one text that a row asks."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = list(labels)
        self.rows = 0
        self.seconds = 0.0
        self.bytes = 0
        self.validation: float | None = None

    @abstractmethod
    def predict(self, questions: Sequence[Any], /) -> list[Prediction]:
        """An answer to each question, in order, as the kind's predictions are; labels: {"label", "scores": {label:
        probability}}. Questions are texts (str or None), or rows where it reads whole ones."""

    def answer(self, task: Task, rows: Rows) -> list[Prediction]:
        """The same for rows of a task."""
        return self.predict(list(rows) if self.whole_rows else [task.question(row) for row in rows])

    @abstractmethod
    def _write(self, folder: Path) -> dict[str, Any]:
        """Write what does not fit into JSON; return what does."""

    @classmethod
    @abstractmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Baseline:
        """The inverse."""

    def save(self, folder: Path) -> None:
        """Write the model to `folder` (made on demand); sets `bytes`."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "key": self.key,
            "result": self.result,
            "labels": self.labels,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "validation": self.validation,
            **self._write(folder),
        }
        write_whole(folder / "baseline.json", json.dumps(facts, ensure_ascii=False))
        self.bytes = _size(folder)


def load(folder: Path) -> Baseline:
    """The simple model saved in `folder`. Raises FileNotFoundError where there is none."""
    from studio.evaluation.kinds.base import judges

    facts = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    model = judges.get(facts.get("result", "labels")).simple()[facts["key"]]._read(folder, facts)
    model.seconds, model.validation, model.bytes = facts["seconds"], facts["validation"], _size(folder)
    model.rows = facts.get("rows", 0)
    return model


def load_all(run_dir: Path) -> dict[str, Baseline]:
    """Those a run has, the simplest first."""
    from studio.evaluation.kinds.base import judges

    found = [load(file.parent) for file in (run_dir / FOLDER).glob("*/baseline.json")]
    return {
        model.key: model
        for judge in judges
        for key in judge.simple()
        for model in found
        if model.key == key and model.result == judge.key
    }


def fit_baselines(
    task: Task, train: Rows, validation: Rows, facts: Mapping[str, Any], seed: int
) -> dict[str, Baseline]:
    """Simple models by key, the simplest first, as the judge of the task's kind makes them from rows with a truth.

    No such row, no models.
    """
    from studio.evaluation.kinds.base import judges

    judge = judges.get(task.result)
    known = [row for row in train if task.expected(row) not in (None, "")]
    if len(known) > MOST_ROWS:
        known = random.Random(seed).sample(known, MOST_ROWS)
    judged = [row for row in validation if task.expected(row) not in (None, "")]
    if not known:
        return {}
    models: dict[str, Baseline] = {}
    for key, make in judge.makers(task, known, judged, facts, seed).items():
        start = time.perf_counter()
        model = make()
        if model is None:
            continue
        model.rows = model.rows or len(known)
        model.seconds = time.perf_counter() - start
        if judged:
            found = judge.score(model.answer(task, judged), [task.expected(row) for row in judged], facts)
            model.validation = found[task.main_metric]
        models[key] = model
    return models


def best(models: Mapping[str, Baseline]) -> str | None:
    """The key of the simple model to beat: the best on validation, the richer one of equals; None without any.

    It is chosen on validation so that the test rows judge it as fairly as the tuned model.
    """
    ranked = []
    for place, (key, model) in enumerate(models.items()):
        sign = -1.0 if model.lower_is_better else 1.0
        ranked.append((-math.inf if model.validation is None else sign * model.validation, place, key))
    return max(ranked)[2] if ranked else None


def fewer_rows(models: Mapping[str, Baseline], total: int) -> dict[str, Any] | None:
    """Values of the note that simple models learnt from a part of the `total` training rows; None where all did."""
    rows = {key: model.rows for key, model in models.items() if 0 < model.rows < total}
    if not rows:
        return None
    most = max(model.rows for model in models.values())
    return {"rows": most, "rules": rows.get("rules", most), "total": total}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


class Majority(Baseline):
    """Always the most frequent label of the training rows (the first in order among equals)."""

    key = "majority"

    def __init__(self, labels: Sequence[str], shares: Mapping[str, float]) -> None:
        super().__init__(labels)
        self.shares = dict(shares)

    @staticmethod
    def fit(truths: Sequence[str], labels: Sequence[str]) -> Majority:
        counts = Counter(truths)
        return Majority(labels, {label: counts[label] / len(truths) for label in labels})

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        label = max(self.labels, key=lambda name: self.shares[name])
        return [{"label": label, "scores": dict(self.shares)} for _ in texts]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"shares": self.shares}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Majority:
        return Majority(facts["labels"], facts["shares"])
