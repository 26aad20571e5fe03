"""Evens out labels: the common ones lose rows, or the rows of the rare ones stand several times."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import PLACE, Frames, Layout, Step, drawn, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    label: str = option("", of="column")
    how: str = option("cut", choices=("cut", "repeat"))
    ratio: float = option(3.0, low=1.0, high=1000.0)
    seed: int = option(13, low=0, high=2**31 - 1)


class Balance(Step):
    key = "balance"
    order = 74
    family = "labels"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        """How often each row is to stand, for the rows that do not stand once. Rows without a label stay."""
        lots: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for frame in frames():
            for place, label in frame.select(PLACE, options.label).iter_rows():
                if label is not None and label.strip():
                    lots[label].append((drawn(options.seed, place), place))
        sizes = [len(rows) for rows in lots.values()]
        times: dict[int, int] = {}
        for rows in lots.values():
            if options.how == "cut":
                most = math.ceil(options.ratio * min(sizes))
                times.update((place, 0) for _, place in heapq.nlargest(len(rows) - most, rows))
            else:
                wanted = max(len(rows), math.floor(max(sizes) / options.ratio))
                whole, rest = divmod(wanted, len(rows))
                more = {place for _, place in heapq.nsmallest(rest, rows)}
                times.update((place, whole + (place in more)) for _, place in rows if whole + (place in more) != 1)
        return times

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        places = [place for place in frame.get_column(PLACE).to_list() for _ in range(found.get(place, 1))]
        if places == frame.get_column(PLACE).to_list():
            return frame
        return (
            pl.DataFrame({PLACE: pl.Series(places, dtype=pl.Int64)})
            .join(frame, on=PLACE, how="left", maintain_order="left")
            .select(frame.columns)
        )


steps.register(Balance())
