"""Who judges the answers of a result kind: metrics, simple models, and the report that rests on them.

A judge whose metrics follow from sums over rows says only `tallies` and `reduce`; score, intervals, the paired
difference and the whole report come with them. A kind with its own way overrides what it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from studio.events import Emit
from studio.registry import Registry
from studio.tasks.base import Item, Prediction, Row, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Answering, Contender, Exam
    from studio.inference.predictor import Predictor

Floats = npt.NDArray[np.float64]
Report = dict[str, Any]
Progress = Callable[[int, int], None]
Facts = Mapping[str, Any]
Makers = dict[str, Callable[[], "Baseline | None"]]


class Judge(ABC):
    """Judges answers against `expected` (see `Task.expected`), row by row in the same order."""

    key: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """Names of all metrics, each with words `metric.<name>` and `metric.<name>_help`."""
    counts: ClassVar[bool] = False
    """Whether `rivals` are made from encoded rows, before the first step."""
    written_rows: ClassVar[int] = 0
    """Of kinds whose answers are generated: validation rows whose answers are written at each evaluation and stand
    under "text" in their predictions when they are scored. The shown rows are written in any case."""

    answers_exam: ClassVar[bool] = True
    """Whether the score follows from what a model answers to questions without their truth."""

    # ---- metrics

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """Numbers of each row, (rows, n), from whose sums the metrics follow."""
        raise NotImplementedError

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        """Metrics by name, each (draws,), from sums of tallies (draws, n)."""
        raise NotImplementedError

    def imagined(self, tallies: Floats, facts: Facts) -> tuple[Floats, Floats] | None:
        """The tallies (n,) of an average row answered rightly, and wrongly: a few such rows keep an interval from being
        too sure of itself on small or nearly perfect tests (see `intervals`). None where the metric needs none."""
        return None

    def score(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, float]:
        """All metrics over the rows that have a truth. Raises ValueError where there is none."""
        places = [place for place, truth in enumerate(expected) if truth is not None]
        if not places:
            raise ValueError("no row has a truth to score against")
        tallies = self.tallies([answers[place] for place in places], [expected[place] for place in places], facts)
        return {name: float(values[0]) for name, values in self.reduce(tallies.sum(axis=0)[None], facts).items()}

    @abstractmethod
    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """The training loss a row (or token) from predictions alone: no second forward pass is needed."""

    def scorable(self, expected: Any, facts: Facts) -> bool:
        """Whether a validation row counts: its truth is one the model could know."""
        return expected is not None

    def settle(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, Any]:
        """Facts to keep with the model, tuned on the validation rows (`Kind.settles`)."""
        return {}

    # ---- single rows

    @abstractmethod
    def shown(self, answer: Prediction) -> str:
        """An answer as text for people."""

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        """Whether an answer is right; None where that is no matter of yes and no."""
        return None

    def certainty(self, answer: Prediction) -> float | None:
        """How sure the model is, 0 to 1; None where it does not say."""
        return None

    @abstractmethod
    def numbers(self, answer: Prediction) -> list[float]:
        """What is compared between two copies of a model: probabilities, or a loss."""

    def generate(
        self, task: Task, model: torch.nn.Module, tokenizer: Any, rows: Rows, facts: Facts, tell: Callable[[], None]
    ) -> list[str]:
        """The answers to rows, written token by token, short (`Kind.generates`); `tell` is called at every token."""
        raise NotImplementedError

    # ---- a new head

    def target(self, item: Mapping[str, Any]) -> Any:
        """What the head shall say of an item."""
        return item["labels"]

    def fit_head(self, features: Any, targets: Sequence[Any]) -> tuple[Any, Any] | None:
        """Weight (outputs, H) and bias (outputs,) of a linear head, from features (rows, H); NaN marks outputs none
        of the rows tells about. None where nothing can be fitted (`Kind.places_head`)."""
        return None

    # ---- simple models and the model untuned

    def simple(self) -> dict[str, type[Baseline]]:
        """The simple models of the kind by key, the simplest first."""
        return {}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        """What fits each simple model, the simplest first, on rows with a truth; `judged` are validation rows. A
        maker gives None where its model cannot be."""
        return {}

    def rivals(self, task: Task, train: Sequence[Item], judged: Sequence[Item], vocabulary: int) -> dict[str, float]:
        """The main metric of simple models that are made from encoded rows, by key (`counts`)."""
        return {}

    def untuned(self, task: Task, tuned: Predictor, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """What the base says before tuning, as something that answers rows; None where it can say nothing. What it
        raises as UserError costs the report a rung."""
        return None

    # ---- the report

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Predictor | None,
        untuned: Answering | Predictor | None,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        """The report and its predictions (one a test row), not yet written. Raises UserError (`report_rows`)."""
        from studio.evaluation.ladder import ladder_report

        return ladder_report(self, run_dir, exam, simple, tuned, untuned, progress)

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> Report:
        """What the kind adds to its report, about the chosen model: {"classes": [...]} and the like."""
        return {}

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """What stands in predictions.jsonl besides row, text, truth and answer; `wrong` (0 to 1, or any number that
        grows with the error) puts it among the mistakes."""
        return {}


judges: Registry[Judge] = Registry("judge", "studio.evaluation.kinds")
