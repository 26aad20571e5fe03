"""Drops rows whose text is nearly that of an earlier row (MinHash over character groups, then compared in full)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.near import Nearness
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

_READING = 0.3
"""Share of the look that goes by before the first texts are compared."""


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    likeness: float = option(0.8, low=0.6, high=1.0, step=0.05)
    label: str = option("", of="column")


class DropNearDuplicates(Step):
    key = "drop_near_duplicates"
    order = 60
    family = "rows"
    surveyed = 0.95
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.text(options.column)
        if options.label:
            layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        import polars as pl

        column = layout.text(options.column)
        label = pl.col(options.label) if options.label else pl.lit(None, pl.String)
        near = Nearness()
        for frame in frames():
            near.add(frame.select(PLACE, column, label.alias("")).rows())
            frames.tell(_READING * (int(frame.get_column(PLACE)[-1]) + 1) / max(1, frames.rows))
        _, later = near.pairs(options.likeness, lambda share: frames.tell(_READING + (1 - _READING) * share))
        return pl.Series(PLACE, later, pl.Int64)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


steps.register(DropNearDuplicates())
