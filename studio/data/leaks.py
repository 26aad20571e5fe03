"""Rows that are checked although nearly the same was learnt: across the parts of a split as a run would make it.

No exact repetition ever crosses (`studio.data.split`); which rows are nearly equal the doctor found and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from studio.data.kept import kept
from studio.data.near import likeness_of
from studio.data.store import DataVersion, each_row, read_rows
from studio.problem import Problem
from studio.tasks.base import Row, Task

LIKENESS = 0.8
_EXAMPLES = 5
_SHOWN = 80
_COMPARED = 40
"""Rows of a group with which one of it is compared."""


def near_leak(
    version: DataVersion, task: Task, columns: Mapping[str, str], parts: Mapping[str, Sequence[int]]
) -> Problem | None:
    """The problem of rows of the validation and the test that nearly repeat a row of train; None where there are none,
    or while the doctor has not looked. `parts` are places among the usable rows."""
    found = kept(version, task.key, columns)
    if found is None or not found["alike"] or not found["asked"]:
        return None
    part_of = _parts_of(version, task, columns, parts)
    torn = [group for group in found["alike"] if len({part_of.get(place) for place in group} - {None}) > 1]
    leaked = sorted(_leaked(version, found["asked"], torn, part_of))
    if not leaked:
        return None
    shown = tuple((place + 1, f"{text[:_SHOWN]} ≈ {other + 1}: {like[:_SHOWN]}") for place, text, other, like in leaked)
    checked = sum(len(parts[part]) for part in ("validation", "test"))
    values = {"row": leaked[0][0] + 1, "checked": checked}
    return Problem("split_near", "warning", "split", len(leaked), shown[:_EXAMPLES], values)


def rows_at(
    version: DataVersion, task: Task, columns: Mapping[str, str], places: Sequence[int]
) -> list[tuple[int, Row]]:
    """(number from 1, row) of these places among the usable rows."""
    wanted = set(places)
    return [found for place, found in enumerate(_usable(version, task, columns)) if place in wanted]


def _usable(version: DataVersion, task: Task, columns: Mapping[str, str]) -> Iterator[tuple[int, Row]]:
    return ((number, row) for number, row in enumerate(each_row(version, columns), 1) if task.usable(row))


def _parts_of(
    version: DataVersion, task: Task, columns: Mapping[str, str], parts: Mapping[str, Sequence[int]]
) -> dict[int, str]:
    """The part of each row, by its place in the file."""
    by_usable = {place: part for part, places in parts.items() for place in places}
    numbers = (number for number, _ in _usable(version, task, columns))
    return {number - 1: by_usable[place] for place, number in enumerate(numbers) if place in by_usable}


def _leaked(
    version: DataVersion, asked: Sequence[str], groups: Sequence[Sequence[int]], part_of: Mapping[int, str]
) -> Iterator[tuple[int, str, int, str]]:
    """(place, text, place of the row of train, its text) of each row that is checked and was nearly learnt."""
    places = sorted(set(chain.from_iterable(groups)))
    rows = read_rows(version, {"text": asked[0]}, places)
    texts = {place: row["text"] or "" for place, row in zip(places, rows, strict=True)}
    for group in groups:
        learnt = [place for place in group if part_of.get(place) == "train"][:_COMPARED]
        for place in group:
            if part_of.get(place) in ("validation", "test"):
                # A group hangs together by pairs: its ends may be less alike.
                other = next((one for one in learnt if likeness_of(texts[place], texts[one]) >= LIKENESS), None)
                if other is not None:
                    yield place, texts[place], other, texts[other]
