"""Judges how well scores of pairs follow the truth: Spearman's and Pearson's correlation and the error; words in
common and the untuned encoder's cosine as rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.kinds.base import Facts, Makers, Progress, Report, judges
from studio.evaluation.kinds.score import ScoreJudge, range_of
from studio.evaluation.overlap import Overlap, line
from studio.events import Emit
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Exam

CALIBRATION_ROWS = 300
"""Training rows from which a line from the untuned cosine to the scores is found."""


class SimilarityJudge(ScoreJudge):
    """Predictions hold {"cosine"} besides what other numbers do."""

    key = "similarity"
    metrics = ("spearman", "pearson", "mae", "rmse")

    def reduce(self, sums: Any, facts: Facts) -> dict[str, Any]:
        found = super().reduce(sums, facts)
        return {name: found[name] for name in self.metrics}

    def fit_head(self, features: Any, targets: Sequence[Any]) -> tuple[Any, Any] | None:
        """A line from the cosine of the two halves (H each) of the features to the scores, by least squares."""
        one, other = np.split(np.asarray(features, np.float64), 2, axis=1)
        sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        slope, offset = line(list((one * other).sum(axis=1) / np.maximum(sizes, 1e-12)), list(targets))
        # Without any slope nothing could ever be learnt.
        return (np.array([[slope]]), np.array([offset])) if slope else None

    def simple(self) -> dict[str, type[Baseline]]:
        return {"overlap": Overlap}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        about = range_of(task, known, facts)
        scores, wanted = ([float(task.expected(row)) for row in rows] for rows in (known, judged))
        return {"overlap": lambda: Overlap.fit(known, scores, about, judged, wanted)}

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """The cosine of the encoder as it was, with a line from it to the scores."""
        return UntunedCosine.load(task, tuned, base, facts)

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Any,
        untuned: Any,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        if untuned is None:
            return super().report(run_dir, exam, simple, tuned, None, progress)
        untuned.calibrate(exam)
        report, predictions = super().report(run_dir, exam, simple, tuned, untuned, progress)
        # The playground shows what the encoder said before, on the same scale.
        return {**report, "untuned": {"slope": untuned.slope, "offset": untuned.offset}}, predictions


class UntunedCosine:
    """The base as it was before tuning. Its cosines become scores by a line through some training rows."""

    key = "cosine"
    whole_rows = True

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.bytes = sum(predictor.parts().values())
        self.slope, self.offset = 1.0, 0.0

    @staticmethod
    def load(task: Task, tuned: Any, base: Path, facts: dict[str, Any]) -> UntunedCosine:
        """Raises UserError where the base cannot be loaded."""
        device = next(tuned.model.parameters()).device
        model = task.load(str(base), facts, task.Options()).to(device)
        return UntunedCosine(type(tuned)(tuned.about, model, tuned.tokenizer, facts))

    def calibrate(self, exam: Exam) -> None:
        """Find the line from the first training rows; the test is not looked at."""
        rows = [row for row in exam.train if exam.task.expected(row) is not None][:CALIBRATION_ROWS]
        near = [answer["cosine"] for answer in self._predictor.predict(rows)]
        self.slope, self.offset = line(near, [float(exam.task.expected(row)) for row in rows])

    def predict(self, rows: Sequence[Row]) -> list[Prediction]:
        return on_line(self._predictor.predict(rows), self.slope, self.offset)


def on_line(answers: Sequence[Prediction], slope: float, offset: float) -> list[Prediction]:
    """The same answers with scores that follow from their cosines by another line."""
    return [{**answer, "score": slope * answer["cosine"] + offset} for answer in answers]


judges.register(SimilarityJudge())
