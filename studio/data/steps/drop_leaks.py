"""Drops rows whose text stands in another part of a given split too: the test keeps its rows, then the validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import fingerprint
from studio.data.near import Nearness
from studio.data.placing import PARTS, part_of
from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


Row = tuple[int, Sequence["str | None"], "str | None"]
"""Place, texts, part."""


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    columns: tuple[str, ...] = option((), of="columns")
    likeness: float = option(0.8, low=0.6, high=1.0, step=0.05)


class DropLeaks(Step):
    key = "drop_leaks"
    order = 61
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.known(options.column)
        layout.prose(options.columns)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        import polars as pl

        columns = [PLACE, options.column, *layout.prose(options.columns)]
        rows = (row for frame in frames() for row in frame.select(columns).iter_rows())
        parted = [(place, texts, part_of(cell)) for place, cell, *texts in rows]
        return pl.Series(PLACE, sorted(_leaked([row for row in parted if row[2]], options.likeness)), pl.Int64)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        return frame.filter(~pl.col(PLACE).is_in(found.implode()))


def _leaked(rows: Iterable[Row], likeness: float) -> set[int]:
    """Places of rows that say, exactly or nearly, what a row of a part with more right to it says."""
    # In this order the row that stays comes first.
    ordered = sorted(rows, key=lambda row: (-PARTS.index(row[2] or ""), row[0]))
    first: dict[bytes, str | None] = {}
    copies: dict[bytes, list[int]] = {}
    gone, keys = set(), []
    for place, texts, part in ordered:
        key = fingerprint(*texts)
        keys.append(key)
        if key is not None and first.setdefault(key, part) != part:
            gone.add(place)
        elif key is not None:
            copies.setdefault(key, []).append(place)
    if likeness < 1:
        near = Nearness()
        near.add([(turn, texts[0], part) for turn, (_, texts, part) in enumerate(ordered)])
        _, later = near.pairs(likeness, across=True)
        gone.update(place for turn in later.tolist() for place in copies.get(keys[turn] or b"", ()))
    return gone


steps.register(DropLeaks())
