"""Drops rows that say in some columns what an earlier row said; letter case and white space do not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import Repeats, fingerprint
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    label: str = option("", of="column")


class DropDuplicates(Step):
    key = "drop_duplicates"
    order = 56
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        for column in options.columns:
            layout.known(column)
        if options.label:
            layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        columns = list(options.columns or layout.columns)
        label = [options.label] if options.label and options.label not in columns else []
        found, last = Repeats(), 1 + len(columns)
        for frame in frames():
            rows = frame.select(PLACE, *columns, *label).iter_rows()
            # Rows without text repeat nothing, whatever their label.
            found.add((row[0], fingerprint(*row[1:]) if fingerprint(*row[1:last]) else None) for row in rows)
        return found.later()

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


steps.register(DropDuplicates())
