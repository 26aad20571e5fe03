"""One label of a few for each row: classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.kinds.base import Kind, kinds
from studio.problem import Problem

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task


class Labels(Kind):
    """A label, and a probability of each."""

    key = "labels"
    strings = True
    guesses = True
    faulty_copies = 4
    tie_rows = 1.5
    """One row more or less is chance: on a few dozen rows it would choose among the evaluations by luck."""

    def problems(self, task: Task, rows: Sequence[Row], usable: Sequence[tuple[int, Row]]) -> list[Problem]:
        from studio.data.labels import label_problems

        return label_problems([(number, str(task.truth(row))) for number, row in usable])


kinds.register(Labels())
