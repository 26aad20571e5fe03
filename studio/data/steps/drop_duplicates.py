"""Drops rows that say in some columns what an earlier row said; letter case and white space do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import Repeats, fingerprint
from studio.data.steps.base import PLACE, Frames, Layout, Step, Texts, steps

if TYPE_CHECKING:
    import polars as pl


class DropDuplicates(Step):
    key = "drop_duplicates"
    order = 56
    family = "rows"
    Options = Texts

    def check(self, options: Any, layout: Layout) -> None:
        for column in options.columns:
            layout.known(column)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        columns = list(options.columns or layout.columns)
        found = Repeats()
        for frame in frames():
            rows = frame.select(PLACE, *columns).iter_rows()
            found.add(((place, fingerprint(*cells)) for place, *cells in rows))
        return found.later()

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


steps.register(DropDuplicates())
