"""Drops rows whose text is nearly that of an earlier row (MinHash over character groups, then compared in full)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.near import nearly_equal
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    likeness: float = option(0.8, low=0.6, high=1.0, step=0.05)
    label: str = option("", of="column")


class DropNearDuplicates(Step):
    key = "drop_near_duplicates"
    order = 60
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.text(options.column)
        if options.label:
            layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        import polars as pl

        column = layout.text(options.column)
        wanted = [PLACE, column, *([options.label] if options.label else [])]
        rows = (row for frame in frames() for row in frame.select(wanted).iter_rows())
        pairs = nearly_equal(((row[0], row[1], row[2] if options.label else None) for row in rows), options.likeness)
        return pl.Series(PLACE, sorted({later for _, later in pairs}), pl.Int64)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


steps.register(DropNearDuplicates())
