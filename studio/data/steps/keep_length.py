"""Keeps the rows whose text is neither too short nor too long, in characters; rows without text stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

_MOST = 2**20


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    shortest: int = option(1, low=0, high=_MOST)
    longest: int = option(_MOST, low=1, high=_MOST)


class KeepLength(Step):
    key = "keep_length"
    order = 50
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.text(options.column)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        length = pl.col(layout.text(options.column)).str.len_chars()
        return frame.filter(length.is_between(options.shortest, options.longest).fill_null(True))


steps.register(KeepLength())
