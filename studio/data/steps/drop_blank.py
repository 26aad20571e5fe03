"""Drops rows in which any of some columns is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Layout, Step, Texts, filled, steps

if TYPE_CHECKING:
    import polars as pl


class DropBlank(Step):
    key = "drop_blank"
    order = 54
    family = "rows"
    Options = Texts

    def check(self, options: Any, layout: Layout) -> None:
        layout.prose(options.columns)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(pl.all_horizontal([filled(column) for column in layout.prose(options.columns)]))


steps.register(DropBlank())
