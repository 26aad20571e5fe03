"""Drops columns that nothing is learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Layout, Step, Texts, steps
from studio.errors import UserError

if TYPE_CHECKING:
    import polars as pl


class DropColumns(Step):
    key = "drop_columns"
    order = 82
    family = "columns"
    Options = Texts

    def check(self, options: Any, layout: Layout) -> None:
        gone = {layout.known(column) for column in options.columns}
        if not gone or len(gone) == len(layout.columns):
            raise UserError("step_columns_none", known=list(layout.columns)[:30])

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        return frame.drop(options.columns)


steps.register(DropColumns())
