"""Judges answers that are parts of a text as SQuAD does: exact match and F1, with and without an answer; beside them
the sentence most like the question, and a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation import squad
from studio.evaluation.kinds.base import Facts, Floats, Judge, Makers, judges
from studio.events import Emit
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Contender, Exam

_MARKED = 10
"""Test rows with mistakes that the report shows with both answers marked in their text."""
_LONGEST = 3000
_TINY = 1e-9
"""In the place of no rows at all, where imagined ones count as fractions."""


class SpanJudge(Judge):
    """Predictions hold {"text", "start", "end"} and, of the tuned model, {"score", "others", "none", "threshold",
    "likeliest"}; expected are lists of [text, start], empty for a question without an answer."""

    key = "spans"
    metrics = ("answer_f1", "answer_exact", "has_answer_f1", "has_answer_exact", "no_answer_accuracy")

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """One, exact, F1; the same of rows with an answer; one and right of rows without."""
        rows = []
        for answer, truth in zip(answers, expected, strict=True):
            exact, f1 = squad.against(answer["text"], known(truth))
            rows.append([1, exact, f1, *([1, exact, f1, 0, 0] if truth else [0, 0, 0, 1, exact])])
        return np.array(rows, np.float64).reshape(-1, 8)

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        """The parts only where the training rows have questions without an answer."""
        rows, exact, f1, has, has_exact, has_f1, none, none_right = sums.T
        found = {"answer_f1": f1 / np.maximum(rows, _TINY), "answer_exact": exact / np.maximum(rows, _TINY)}
        if facts.get("unanswerable"):
            found["has_answer_f1"] = has_f1 / np.maximum(has, _TINY)
            found["has_answer_exact"] = has_exact / np.maximum(has, _TINY)
            found["no_answer_accuracy"] = none_right / np.maximum(none, _TINY)
        return found

    def imagined(self, tallies: Floats, facts: Facts) -> tuple[Floats, Floats]:
        has = float(tallies[:, 3].mean())
        right = np.array([1, 1, 1, has, has, has, 1 - has, 1 - has])
        return right, right * np.array([1, 0, 0, 1, 0, 0, 1, 0])

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a window, the mean of both ends."""
        return float(sum(one["loss"] for one in answers) / max(sum(one["windows"] for one in answers), 1))

    def settle(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, Any]:
        """The threshold from which on no answer is given."""
        rows = [(answer, truth) for answer, truth in zip(answers, expected, strict=True) if truth is not None]
        if not facts.get("unanswerable") or not rows:
            return {}
        texts = [str((answer["likeliest"] or {"text": ""})["text"]) for answer, _ in rows]
        gained = [squad.against(text, known(truth))[1] for text, (_, truth) in zip(texts, rows, strict=True)]
        chances = [float(answer["none"]) for answer, _ in rows]
        return {"threshold": squad.threshold(chances, gained, [not truth for _, truth in rows])}

    def shown(self, answer: Prediction) -> str:
        return str(answer["text"]) or "-"

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        """Neither where the answer shares some words with a known one."""
        exact, f1 = squad.against(answer["text"], known(expected))
        return True if exact else None if f1 else False

    def certainty(self, answer: Prediction) -> float | None:
        return answer.get("score")

    def numbers(self, answer: Prediction) -> list[float]:
        """Of a window what its parts and "none" score; of a row the answer's probability."""
        if "spans" in answer:
            return [*(float(score) for _, _, score in answer["spans"][:1]), float(answer["none"])]
        return [float(answer["score"]), float(answer.get("none", 0.0))]

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.passages import NoAnswer, Part, Sentence

        return {"no_answer": NoAnswer, "sentence": Sentence, "part": Part}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        from studio.evaluation.passages import NoAnswer, Part, Sentence

        contexts, truths = [str(row.get("context") or "") for row in known], [task.expected(row) or [] for row in known]
        found: Makers = {
            "sentence": lambda: Sentence(Sentence.rarity(contexts)),
            "part": lambda: Part.fit(known, truths),
        }
        return {"no_answer": NoAnswer, **found} if any(not truth for truth in truths) else found

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """The base as it was, where it came with a head for answers."""
        if facts.get("untaught"):
            return None
        device = next(tuned.model.parameters()).device
        model = task.load(str(base), facts, task.Options()).to(device)
        return type(tuned)(tuned.about, model, tuned.tokenizer, facts)

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> dict[str, Any]:
        """{"marked": rows with mistakes, to be drawn with both answers marked in their text}."""
        marked: list[dict[str, Any]] = []
        for row, answer, truth in zip(exam.rows, chosen.answers, expected, strict=True):
            context = str(row.get("context") or "")
            if len(marked) < _MARKED and len(context) <= _LONGEST and self.right(answer, truth) is not True:
                spans = [[start, start + len(text)] for text, start in truth if start >= 0]
                said = [[answer["start"], answer["end"]]] if answer["text"] else []
                asked = str(row.get("question") or "")
                marked.append({"question": asked, "context": context, "answer": said, "truth": spans})
        return {"marked": marked}

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """How far the answer is from the nearest known one, and how sure the model is of it."""
        _, f1 = squad.against(answer["text"], known(expected))
        sure = self.certainty(answer)
        more: dict[str, Any] = {} if sure is None else {"confidence": round(sure, 6)}
        return {**more, "f1": round(f1, 4), "wrong": round(1 - f1, 4)}


def known(truth: Sequence[Sequence[Any]]) -> list[str]:
    """The texts of the known answers."""
    return [str(text) for text, _ in truth]


judges.register(SpanJudge())
