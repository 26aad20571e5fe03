"""Texts that were cut off: many end at exactly the same, greatest length, as an export with a limit leaves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.doctor.base import Case, Finding, Seen, Told, findings
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

_SHORTEST = 50
"""Characters that a limit has at least; equal lengths of shorter texts are chance."""
_FEWEST = 3
_BESIDE = 3.0
"""How many times more rows the greatest length has than the lengths just below it have on average."""


class Truncated(Finding):
    key = "rows_truncated"
    order = 50

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._lengths: dict[str, Counter[int]] = {column: Counter() for column in case.texts}

    def see(self, frame: pl.DataFrame) -> None:
        for column, counts in self._lengths.items():
            counts.update(frame.get_column(column).str.len_chars().drop_nulls().to_list())

    def told(self) -> Iterator[Told]:
        import polars as pl

        for column, counts in self._lengths.items():
            limit = max(counts, default=0)
            width = max(5, limit // 10)
            below = sum(counts[length] for length in range(limit - width, limit)) / width
            if limit < _SHORTEST or counts[limit] < max(_FEWEST, _BESIDE * max(1.0, below)):
                continue
            seen = Seen()
            for frame in self.case.source.frames([column]):
                cut = frame.filter((pl.col(column).str.len_chars() == limit).fill_null(False))
                for place, text in cut.select(PLACE, column).iter_rows():
                    seen.add(place, "… " + text[-80:])
            values = {"column": column, "row": seen.first, "length": limit}
            problem = Problem(self.key, "warning", self.case.field(column), seen.count, tuple(seen.examples), values)
            options = {"column": column, "shortest": 0, "longest": limit - 1}
            yield Told(problem, (Chosen("keep_length", options),))


findings.register(Truncated)
