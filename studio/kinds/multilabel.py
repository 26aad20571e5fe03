"""Any number of labels for each row: multi-label classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.data.labelsets import parse
from studio.kinds.base import Kind, kinds
from studio.problem import Problem

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task


class MultiLabel(Kind):
    """The labels above their thresholds, and a probability of each."""

    key = "multilabel"
    strings = True
    settles = True
    tie_rows = 1.0

    def names(self, truth: str) -> tuple[str, ...]:
        return tuple(parse(truth))

    def problems(self, task: Task, rows: Sequence[Row], usable: Sequence[tuple[int, Row]]) -> list[Problem]:
        from studio.data.labels import label_problems

        return label_problems([(number, label) for number, row in usable for label in task.expected(row) or ()])


kinds.register(MultiLabel())
