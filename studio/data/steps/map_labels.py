"""Makes spelling variants of a label one label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import Layout, Step, steps
from studio.errors import UserError
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    label: str = option("", of="column")
    pairs: tuple[tuple[str, str], ...] = option((), of="pairs")


class MapLabels(Step):
    key = "map_labels"
    order = 70
    family = "labels"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        if layout.known(options.label) in layout.structured:
            raise UserError("step_structured", column=options.label)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.with_columns(pl.col(options.label).replace(dict(options.pairs)))


steps.register(MapLabels())
