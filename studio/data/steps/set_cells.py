"""Single cells as somebody corrected them by hand, or as they accepted a suggestion. Not in the list of steps: the grid
and the doctor ask for it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data import limits
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.errors import UserError
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

MOST = 5_000
"""Cells of one step."""


@dataclass(frozen=True)
class Options:
    edits: tuple[tuple[str, str], ...] = option((), of="pairs")
    """("12:label", what row 12 of the step's input is to hold there); nothing empties the cell."""


class SetCells(Step):
    key = "set_cells"
    order = 71
    family = "text"
    listed = False
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        if not options.edits or len(options.edits) > MOST:
            raise UserError("step_cells_none", count=len(options.edits), most=MOST)
        for where, value in options.edits:
            _, column = cell_of(where)
            layout.known(column)
            if len(value) > limits.CELL_CHARACTERS:
                raise UserError("step_cell_long", column=column, limit=limits.CELL_CHARACTERS)
            if layout.anchored and column != layout.anchored and column in layout.texts:
                raise UserError("step_anchored", column=column, spans=layout.anchored)
            if column in layout.structured and value and not _is_json(value):
                raise UserError("step_cell_json", column=column, value=value[:60])

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        """Column -> place -> what is to stand there; of two corrections of a cell the later counts."""
        found: dict[str, dict[int, str | None]] = defaultdict(dict)
        for where, value in options.edits:
            place, column = cell_of(where)
            found[column][place] = value or None
        return dict(found)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
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


def cell_of(where: str) -> tuple[int, str]:
    """("12:label") -> (place 11, "label"). Raises UserError (`step_cell_unknown`)."""
    row, mark, column = where.partition(":")
    if not mark or not (row.isascii() and row.isdigit()) or not 1 <= int(row[:12]) <= limits.ROWS:
        raise UserError("step_cell_unknown", cell=where[:60])
    return int(row) - 1, column


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (list, dict))
    except (ValueError, RecursionError):
        return False


steps.register(SetCells())
