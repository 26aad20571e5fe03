"""Judges entities as seqeval does: right with the right type at both right ends; micro precision, recall and F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.entities import differences, per_type, tally
from studio.evaluation.kinds.base import Facts, Floats, Judge, Makers, judges
from studio.tasks.base import Prediction, Row, Rows, Task
from studio.tasks.ner import spoken

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Contender, Exam

_MARKED = 10
"""Test rows with mistakes that the report shows with both answers marked."""
_LONGEST = 2000


class TagJudge(Judge):
    """Predictions are {"entities": [{"text", "type", "start", "end", "score"}], "sure"}; expected are lists of
    [start, end, type]."""

    key = "tags"
    metrics = ("entity_f1", "entity_precision", "entity_recall")

    def tallies(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> Floats:
        """Entities right, answered and true of each row."""
        rows = [tally(triples(answer), truth) for answer, truth in zip(answers, expected, strict=True)]
        return np.array(rows, np.float64).reshape(-1, 3)

    def reduce(self, sums: Floats, facts: Facts) -> dict[str, Floats]:
        right, said, true = sums.T
        return {
            "entity_f1": 2 * right / np.maximum(said + true, 1),
            "entity_precision": right / np.maximum(said, 1),
            "entity_recall": right / np.maximum(true, 1),
        }

    def imagined(self, tallies: Floats, facts: Facts) -> tuple[Floats, Floats]:
        true = float(tallies[:, 2].mean())
        return np.array([true, true, true]), np.array([0.0, true, true])

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a word."""
        return float(sum(one["loss"] for one in answers) / max(sum(one["tokens"] for one in answers), 1))

    def shown(self, answer: Prediction) -> str:
        found = answer["entities"]
        return "; ".join(f"{one['text']} = {one['type']}" for one in found) or "-"

    def right(self, answer: Prediction, expected: Any) -> bool | None:
        return {tuple(one) for one in triples(answer)} == {tuple(one[:3]) for one in expected}

    def certainty(self, answer: Prediction) -> float | None:
        return answer.get("sure")

    def numbers(self, answer: Prediction) -> list[float]:
        """Of a window the probability of each word's tag, of a row their mean."""
        if "words" in answer:
            return [float(word[3]) for word in answer["words"]]
        return [float(answer["sure"])]

    def simple(self) -> dict[str, type[Baseline]]:
        from studio.evaluation.gazetteer import Gazetteer, Nothing

        return {"no_entities": Nothing, "dictionary": Gazetteer}

    def makers(self, task: Task, known: Rows, judged: Rows, facts: Facts, seed: int) -> Makers:
        from studio.evaluation.gazetteer import Gazetteer, Nothing

        texts = [task.question(row) for row in known]
        return {
            "no_entities": Nothing,
            "dictionary": lambda: Gazetteer.fit(texts, [task.expected(row) or [] for row in known]),
        }

    def sections(self, exam: Exam, chosen: Contender, expected: Sequence[Any]) -> dict[str, Any]:
        """Precision, recall and F1 of each type; rows with mistakes, to be drawn with both answers marked."""
        said = [triples(answer) for answer in chosen.answers]
        marked: list[dict[str, Any]] = []
        for row, answer, truth in zip(exam.rows, said, expected, strict=True):
            if {tuple(one) for one in answer} != {tuple(one[:3]) for one in truth} and len(marked) < _MARKED:
                text = exam.task.question(row)
                if len(text) <= _LONGEST:
                    marked.append({"text": text, "answer": answer, "truth": [list(one) for one in truth]})
        return {"classes": per_type(zip(said, expected, strict=True)), "marked": marked}

    def entry(self, row: Row, answer: Prediction, expected: Any) -> dict[str, Any]:
        """What is wrong, and how many entities that are."""
        text = str(row.get("text") or "")
        found = differences(triples(answer), expected)
        parts = {name: spoken(text, entities) for name, entities in found.items() if entities}
        sure = self.certainty(answer)
        more: dict[str, Any] = {} if sure is None else {"confidence": round(sure, 6)}
        return {**more, **parts, "wrong": sum(len(entities) for entities in found.values())}


def triples(answer: Mapping[str, Any]) -> list[list[Any]]:
    """[start, end, type] of each entity of an answer."""
    return [[one["start"], one["end"], one["type"]] for one in answer["entities"]]


judges.register(TagJudge())
