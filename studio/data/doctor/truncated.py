"""Texts that were cut off: many end at exactly the same, greatest length, as an export with a limit leaves them."""

from __future__ import annotations

import math
import re
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
_UNFINISHED, _SURE = 1.7, 4.0
"""The same where the longest texts end as no sentence does, and by how many standard deviations more they are."""
_CLOSED = r"[.!?。！？…”’\"')\]）】]\s*$"


class Truncated(Finding):
    key = "rows_truncated"
    order = 50

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._lengths: dict[str, Counter[int]] = {column: Counter() for column in case.texts}
        self._closed: Counter[str] = Counter()
        """Texts of a column that end as sentences do."""

    def see(self, frame: pl.DataFrame) -> None:
        for column, counts in self._lengths.items():
            cells = frame.get_column(column)
            counts.update(cells.str.len_chars().drop_nulls().to_list())
            self._closed[column] += int(cells.str.contains(_CLOSED).sum() or 0)

    def told(self) -> Iterator[Told]:
        import polars as pl

        for column, counts in self._lengths.items():
            limit = max(counts, default=0)
            width = max(5, limit // 10)
            below = sum(counts[length] for length in range(limit - width, limit)) / width
            many = counts[limit]
            if limit < _SHORTEST or many < max(_FEWEST, _UNFINISHED * below, below + _SURE * math.sqrt(below)):
                continue
            seen, closed = Seen(), 0
            for frame in self.case.source.frames([column]):
                cut = frame.filter((pl.col(column).str.len_chars() == limit).fill_null(False))
                for place, text in cut.select(PLACE, column).iter_rows():
                    seen.add(place, "… " + text[-80:])
                    closed += bool(re.search(_CLOSED, text))
            if many < _BESIDE * max(1.0, below) and not self._broken_off(column, many, closed):
                continue
            values = {"column": column, "row": seen.first, "length": limit}
            problem = Problem(self.key, "warning", self.case.field(column), seen.count, tuple(seen.examples), values)
            options = {"column": column, "shortest": 0, "longest": limit - 1}
            yield Told(problem, (Chosen("keep_length", options),))

    def _broken_off(self, column: str, many: int, closed: int) -> bool:
        """Whether the column's texts end as sentences do, and of the longest ones, of which `closed` do, many do not:
        those that were just so long anyway end well."""
        others = self._lengths[column].total() - many
        ending = (self._closed[column] - closed) / max(1, others)
        broken = 1 - closed / many
        return ending >= 0.5 and broken >= max(0.4, 3 * (1 - ending))


findings.register(Truncated)
