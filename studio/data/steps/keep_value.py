"""Keeps, or drops, the rows whose cell in a column is a certain value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    rule: str = option("keep_equal", choices=("keep_equal", "drop_equal", "keep_holding", "drop_holding"))
    value: str = option("")


class KeepValue(Step):
    key = "keep_value"
    order = 52
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.known(options.column)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        cell = pl.col(options.column).fill_null("")
        act, _, how = options.rule.partition("_")
        match = cell == options.value if how == "equal" else cell.str.contains(options.value, literal=True)
        return frame.filter(match if act == "keep" else ~match)


steps.register(KeepValue())
