"""Single cells as somebody corrected them by hand, or as they accepted a suggestion. Not in the list of steps: the grid
and the doctor ask for it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.data import limits
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.errors import UserError
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

MOST = 5_000
"""Cells of one step."""
FILE = "@"
"""Before the number of a row of the file that was brought in: it names the same row whatever steps come before."""
_KNOWN = 12
Corrections = dict[str, "dict[int, str | None]"]
"""Column -> place -> what is to stand there."""


@dataclass(frozen=True)
class Options:
    """`roles` are (role, column) of `task`: with them a corrected row has to be one that can be learnt, and its labels
    or types have to be known already or stand in `fresh`."""

    edits: tuple[tuple[str, str], ...] = option((), of="pairs")
    """("12:label", what row 12 of the step's input is to hold there); nothing empties the cell. "@12:label" names row
    12 of the file that was brought in."""
    task: str = option("")
    roles: tuple[tuple[str, str], ...] = option((), of="pairs")
    fresh: tuple[str, ...] = option((), of="names")


class Cell(NamedTuple):
    """A cell by its row (from 0), of the file where `of_file`, else of the step's input."""

    row: int
    column: str
    of_file: bool


class SetCells(Step):
    key = "set_cells"
    order = 71
    family = "text"
    listed = False
    untold = ("task", "roles")
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        if not options.edits or len(options.edits) > MOST:
            raise UserError("step_cells_none", count=len(options.edits), most=MOST)
        marked = dict(options.roles).values() if options.task else ()
        for where, value in options.edits:
            column = layout.known(cell_of(where).column)
            if len(value) > limits.CELL_CHARACTERS:
                raise UserError("step_cell_long", column=column, limit=limits.CELL_CHARACTERS)
            # A text with marks may change where the row as a whole is judged.
            anchored = layout.anchored and not (column in marked and layout.anchored in marked)
            if anchored and column != layout.anchored and column in layout.texts:
                raise UserError("step_anchored", column=column, spans=layout.anchored)
            if column in layout.structured and value and not _is_json(value):
                raise UserError("step_cell_json", column=column, value=value[:60])

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Corrections:
        """The corrections by place; of two of a cell the later counts."""
        found: Corrections = defaultdict(dict)
        cells = [(cell_of(where), value or None) for where, value in options.edits]
        places = _places_of([cell.row for cell, _ in cells if cell.of_file], layout)
        for cell, value in cells:
            for place in places.get(cell.row, ()) if cell.of_file else (cell.row,):
                found[cell.column][place] = value
        if options.task:
            _judge(frames, options, {role: column for role, column in options.roles if column}, found)
        return dict(found)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Corrections) -> pl.DataFrame:
        import polars as pl

        places = frame.get_column(PLACE).to_list()
        start, end = (places[0], places[-1]) if places else (0, -1)
        for column, cells in found.items():
            here = {place: value for place, value in cells.items() if start <= place <= end}
            if here:
                old = frame.get_column(column).to_list()
                new = [here.get(place, cell) for place, cell in zip(places, old, strict=True)]
                frame = frame.with_columns(pl.Series(column, new, pl.String))
        return frame


def cell_of(where: str) -> Cell:
    """("12:label") -> (row 11, "label"). Raises UserError (`step_cell_unknown`)."""
    row, mark, column = where.removeprefix(FILE).partition(":")
    if not mark or not (row.isascii() and row.isdigit()) or not 1 <= int(row[:12]) <= limits.ROWS:
        raise UserError("step_cell_unknown", cell=where[:60])
    return Cell(int(row) - 1, column, where.startswith(FILE))


def pinned(edits: Sequence[Sequence[str]], origins: Any) -> list[list[str]]:
    """Edits of rows as they stand now as edits of the file's rows, which steps that are taken out or put in before
    this one do not move. `origins` as in `Layout`. Raises UserError (`step_cell_unknown`)."""
    made = []
    for where, value in edits:
        cell = cell_of(where)
        if not cell.of_file and cell.row >= len(origins):
            raise UserError("step_cell_unknown", cell=where[:60])
        row = cell.row if cell.of_file else int(origins[cell.row])
        made.append([f"{FILE}{row + 1}:{cell.column}", value])
    return made


def _places_of(rows: Sequence[int], layout: Layout) -> dict[int, list[int]]:
    """Where rows of the file stand in the step's input: nowhere when they were dropped, several times when copied."""
    import numpy as np

    if layout.origins is None:
        return {row: [row] for row in rows}
    found: dict[int, list[int]] = defaultdict(list)
    for place in np.flatnonzero(np.isin(layout.origins, np.array(sorted(set(rows)), dtype=np.int64))).tolist():
        found[int(layout.origins[place])].append(place)
    return found


def _judge(frames: Frames, options: Options, columns: Mapping[str, str], found: Corrections) -> None:
    """Raises UserError (`correction_faulty`, `correction_new_name`) for corrected rows that could not be learnt, or
    that name what no other row names and nobody has confirmed."""
    from studio.data.correcting import faulty
    from studio.tasks.base import tasks

    task = tasks.get(options.task)
    wanted: dict[str, int] = {}
    touched = {place for column in columns.values() for place in found.get(column, ())}
    for place, row in _rows(frames, columns):
        if place not in touched:
            continue
        made = dict(row)
        for role, column in columns.items():
            made[role] = found.get(column, {}).get(place, row[role])
        faulty(task, made, place)
        old = {*task.kind.used(task, row), *options.fresh}
        wanted |= {name: place for name in task.kind.used(task, made) if name not in old}
    known: dict[str, None] = {}
    if wanted:
        for place, row in _rows(frames, columns):
            used = () if place in touched else task.kind.used(task, row)
            known |= dict.fromkeys(used)
            for name in used:
                wanted.pop(name, None)
            if not wanted:
                return
    for name, place in wanted.items():
        raise UserError("correction_new_name", name=name[:80], row=place + 1, known=list(known)[:_KNOWN])


def _rows(frames: Frames, columns: Mapping[str, str]) -> Any:
    """(place, row by role) of all rows."""
    for frame in frames():
        cells = [frame.get_column(column).to_list() for column in columns.values()]
        for place, *row in zip(frame.get_column(PLACE).to_list(), *cells, strict=True):
            yield place, dict(zip(columns, row, strict=True))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (list, dict))
    except (ValueError, RecursionError):
        return False


steps.register(SetCells())
