"""The same text with different labels: all its rows go, or those that disagree with most of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import conflicts
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    label: str = option("", of="column")
    keep: str = option("majority", choices=("majority", "none"))


class DropConflicts(Step):
    key = "drop_conflicts"
    order = 58
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.prose(options.columns)
        layout.known(options.label)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        import polars as pl

        columns = layout.prose(options.columns)
        rows = (row for frame in frames() for row in frame.select(PLACE, options.label, *columns).iter_rows())
        torn = conflicts(((place, label, texts) for place, label, *texts in rows))
        gone = [place for group in torn for place in (group.minority if options.keep == "majority" else group.places)]
        return pl.Series(PLACE, sorted(gone), pl.Int64)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


steps.register(DropConflicts())
