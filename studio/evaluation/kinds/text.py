"""Judges written texts: BLEU, chrF, ROUGE and length; the text itself, its first sentence and the nearest known answer
as rivals, and the base where it could write before."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.kinds.base import Facts, Floats, Judge, Makers, Progress, Report, judges
from studio.evaluation.written import METRICS, TALLIES, of_sums, tallies_of
from studio.events import Emit
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Contender, Exam

MOST_ROWS = 400
"""Test rows written at most; with so many the intervals are narrow already."""
EXAMPLES = 10
SAMPLE_TOKENS = 64
_SHOWN = 2000


class TextJudge(Judge):
    """Predictions are {"text"} when written, {"loss", "tokens"} when scored, or both."""

    key = "text"
    metrics = METRICS
    written_rows = 32

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """Zeros for rows that were not written."""
        written = [place for place, answer in enumerate(answers) if "text" in answer]
        found = np.zeros((len(answers), TALLIES), np.float64)
        if written:
            texts = [str(answers[place]["text"]) for place in written]
            truths = [str(expected[place]) for place in written]
            found[written] = tallies_of(texts, truths, str(facts.get("target_language") or ""))
        return found

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        return of_sums(sums)

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a token."""
        tokens = sum(answer["tokens"] for answer in answers)
        return float(sum(answer["loss"] for answer in answers) / max(tokens, 1))

    def shown(self, answer: Prediction) -> str:
        return str(answer["text"])

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        """Only the known answer itself is surely right; any other may be."""
        return True if str(answer["text"]).strip() == str(expected).strip() else None

    def numbers(self, answer: Prediction) -> list[float]:
        return [answer["loss"] / max(answer["tokens"], 1)]

    def generate(
        self, task: Task, model: torch.nn.Module, tokenizer: Any, rows: Rows, facts: Facts, tell: Callable[[], None]
    ) -> list[str]:
        from studio.inference.kinds.text import write_rows
        from studio.inference.writing import WriteSettings

        found: list[str] = []
        for _, texts in write_rows(task, model, tokenizer, rows, dict(facts), WriteSettings(most=SAMPLE_TOKENS)):
            tell()
            found = [str(text) for text in texts] if texts is not None else found
        return found

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.memory import Copy, Lead, Memory

        return {"copy": Copy, "lead": Lead, "nearest": Memory}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        from studio.evaluation.memory import Copy, Lead, Memory

        texts, answers = [task.question(row) for row in known], [str(task.truth(row)) for row in known]
        found: Makers = {"copy": Copy, "nearest": lambda: Memory.fit(texts, answers)}
        # A first sentence stands for a document, not for a sentence in another language.
        return {"copy": Copy, "lead": Lead, **found} if task.main_metric.startswith("rouge") else found

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """The base as it was, where it could write before."""
        from studio.inference.kinds.text import base_of

        return base_of(tuned, base)

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Any,
        untuned: Any,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        places = range(len(exam.rows))
        if len(places) > MOST_ROWS:
            chosen = sorted(random.Random(exam.seed).sample(places, MOST_ROWS))
            rows, numbers = [exam.rows[place] for place in chosen], [exam.numbers[place] for place in chosen]
            exam = dataclasses.replace(exam, rows=rows, numbers=numbers)
        return super().report(run_dir, exam, simple, tuned, untuned, progress)

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """How far the answer is from the known one, by shared characters."""
        found = of_sums(tallies_of([str(answer["text"])], [str(expected)], ""))
        return {"wrong": round(1 - float(found["chrf"][0]), 4)}

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> Report:
        """{"samples"}: some rows with what was asked, known and written."""
        picked = sorted(random.Random(exam.seed).sample(range(len(exam.rows)), min(EXAMPLES, len(exam.rows))))
        return {
            "samples": [
                {
                    "row": int(exam.numbers[place]),
                    "prompt": exam.task.question(exam.rows[place])[:_SHOWN],
                    "truth": str(expected[place])[:_SHOWN],
                    "after": str(chosen.answers[place]["text"])[:_SHOWN],
                }
                for place in picked
            ]
        }


judges.register(TextJudge())
