"""Texts far shorter or longer than all others: often whole files pasted into a cell, or a stray key press."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import Case, Finding, Seen, Told, findings
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

_FEWEST = 30
"""Texts below which nothing is usual."""
_SPREADS = 4.5
_NARROWEST = 0.45
"""Least spread of the logarithm of lengths that is taken for usual: beyond 4.5 of it a text is 7.6 times longer."""


class ExtremeLengths(Finding):
    key = "lengths_extreme"
    order = 70

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._lengths: dict[str, Counter[int]] = {column: Counter() for column in case.asked[:1]}

    def see(self, frame: pl.DataFrame) -> None:
        for column, counts in self._lengths.items():
            counts.update(frame.get_column(column).str.len_chars().drop_nulls().to_list())

    def told(self) -> Iterator[Told]:
        import polars as pl

        for column, counts in self._lengths.items():
            bounds = usual(counts)
            if bounds is None:
                continue
            low, high = bounds
            seen = Seen()
            for frame in self.case.source.frames([column]):
                length = pl.col(column).str.len_chars()
                odd = frame.filter((~length.is_between(low, high) & (length > 0)).fill_null(False))
                for place, text in odd.select(PLACE, column).iter_rows():
                    seen.add(place, text)
            if seen.count:
                values = {"column": column, "row": seen.first, "low": low, "high": high}
                where = self.case.field(column)
                problem = Problem(self.key, "note", where, seen.count, tuple(seen.examples), values)
                yield Told(problem, (Chosen("keep_length", {"column": column, "shortest": low, "longest": high}),))

    def facts(self) -> dict[str, Any]:
        for column, counts in self._lengths.items():
            lengths = Counter({length: count for length, count in counts.items() if length})
            if lengths:
                low, half, high = (int(_share(lengths, share)) for share in (0.25, 0.5, 0.75))
                told = {"column": column, "low": low, "half": half, "high": high, "longest": max(lengths)}
                return {"lengths": told}
        return {}


def usual(counts: Counter[int]) -> tuple[int, int] | None:
    """(shortest, longest) usual length by the median and the median deviation of the logarithm; None for too few."""
    lengths = Counter({length: count for length, count in counts.items() if length})
    if lengths.total() < _FEWEST:
        return None
    middle = math.log(_median(lengths))
    deviations: Counter[float] = Counter()
    for length, count in lengths.items():
        deviations[abs(math.log(length) - middle)] += count
    spread = max(_NARROWEST, 1.4826 * _median(deviations)) * _SPREADS
    # "ok" and "好吃" are whole answers: on the short side only a single character is odd.
    return min(2, max(1, math.ceil(math.exp(middle - spread)))), math.floor(math.exp(middle + spread))


def _median(counts: Counter[int] | Counter[float]) -> float:
    return _share(counts, 0.5)


def _share(counts: Counter[int] | Counter[float], share: float) -> float:
    """The smallest value that this share of what was counted does not exceed."""
    wanted, passed = counts.total() * share, 0
    for value, count in sorted(counts.items()):
        passed += count
        if passed >= wanted:
            return float(value)
    raise ValueError("nothing to count")


findings.register(ExtremeLengths)
