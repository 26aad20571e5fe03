"""A random part of the rows, of each label the same share where a label column is named."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import PLACE, Frames, Layout, Step, drawn, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    share: float = option(0.5, low=0.0001, high=1.0)
    label: str = option("", of="column")
    seed: int = option(13, low=0, high=2**31 - 1)


class Sample(Step):
    key = "sample"
    order = 62
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        if options.label:
            layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        import polars as pl

        lots: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
        for frame in frames():
            labels = frame.get_column(options.label).to_list() if options.label else [None] * frame.height
            for place, label in zip(frame.get_column(PLACE).to_list(), labels, strict=True):
                lots[label].append((drawn(options.seed, place), place))
        kept: list[int] = []
        for rows in lots.values():
            kept += [place for _, place in heapq.nsmallest(max(1, round(options.share * len(rows))), rows)]
        return pl.Series(PLACE, sorted(kept), pl.Int64)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(pl.col(PLACE).is_in(found.implode()))


steps.register(Sample())
