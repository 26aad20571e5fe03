"""Drops rows whose label has too few rows to be learnt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    label: str = option("", of="column")
    rows: int = option(5, low=2, high=1_000_000)


class DropRare(Step):
    key = "drop_rare"
    order = 72
    family = "labels"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        counts: Counter[str] = Counter()
        for frame in frames():
            counts.update(frame.get_column(options.label).drop_nulls().to_list())
        return [label for label, count in counts.items() if count < options.rows]

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(options.label).is_in(found).fill_null(False))


steps.register(DropRare())
