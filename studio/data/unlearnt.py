"""Labels that are validated or tested but that no training row has: a model can never give them.

The split by label does not make such rows; a column that splits may, and so may a label of a single group of texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from studio.data.leaks import rows_at
from studio.data.store import DataVersion
from studio.kinds.base import Kind
from studio.problem import Problem
from studio.tasks.base import Task

_EXAMPLES = 5


def outside(
    kind: Kind, labels: Sequence[str], parts: Mapping[str, Sequence[int]]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Labels that stand in validation or test alone, sorted, and the places of the first rows that have one.

    `labels` is the truth of each usable row, `parts` are places in it.
    """
    known = _names(kind, (labels[place] for place in parts["train"]))
    rest = sorted([*parts["validation"], *parts["test"]])
    new = {truth: names for truth in {labels[place] for place in rest} if (names := _names(kind, [truth]) - known)}
    places = [place for place in rest if labels[place] in new]
    return tuple(sorted({name for names in new.values() for name in names})), tuple(places[:_EXAMPLES])


def told(
    version: DataVersion, task: Task, columns: Mapping[str, str], labels: Sequence[str], places: Sequence[int]
) -> Problem:
    """The problem that names such labels and their rows: `outside`'s answer, with the rows passed by once more to count
    those that cannot be used."""
    rows = rows_at(version, task, columns, places)
    shown = tuple((number, task.whole(row)[:160]) for number, row in rows)
    values = {"row": rows[0][0], "labels": list(labels[:_EXAMPLES])}
    return Problem("split_label_unlearnt", "warning", "split", len(labels), shown, values)


def _names(kind: Kind, truths: Iterable[str]) -> set[str]:
    return {name for truth in set(truths) for name in kind.names(truth)}
