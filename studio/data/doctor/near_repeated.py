"""Rows whose text is nearly that of an earlier row with the same label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import EXAMPLES, SHOWN, Case, Finding, Told, findings
from studio.data.leaks import LIKENESS
from studio.data.mending import ROWS, Chosen
from studio.data.near import Nearness
from studio.data.steps.base import PLACE
from studio.data.store import read_parquet_rows
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

MOST = 50_000
"""Pairs that are kept."""


class NearRepeated(Finding):
    key = "rows_near_repeated"
    order = 42

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._near = Nearness()
        self._pairs: list[tuple[int, int]] = []

    def see(self, frame: pl.DataFrame) -> None:
        import polars as pl

        if self.case.asked:
            label = pl.col(self.case.label) if self.case.label else pl.lit(None, pl.String)
            self._near.add(frame.select(PLACE, self.case.asked[0], label.alias("")).rows())

    def told(self) -> Iterator[Told]:
        earlier, later = self._near.pairs(LIKENESS, lambda share: self.case.alive())
        self._pairs = list(zip(earlier[:MOST].tolist(), later[:MOST].tolist(), strict=True))
        if len(later):
            pairs = list(zip(earlier[:EXAMPLES].tolist(), later[:EXAMPLES].tolist(), strict=True))
            problem = Problem(self.key, "note", "data", len(later), self._shown(pairs), {"row": pairs[0][1] + 1})
            options = {"column": self.case.asked[0], "likeness": LIKENESS, "label": self.case.label}
            yield Told(problem, (Chosen("drop_near_duplicates", options),))

    def facts(self) -> dict[str, Any]:
        """Groups of rows that are alike and of one label: what must not lie in two parts of a split."""
        leader: dict[int, int] = {}
        groups: dict[int, list[int]] = {}
        for one, other in self._pairs:
            # Later rows rise, and each has one partner: its leader is known already.
            top = leader[other] = leader.get(one, one)
            groups.setdefault(top, [top]).append(other)
        return {"alike": list(groups.values())}

    def _shown(self, pairs: list[tuple[int, int]]) -> tuple[tuple[int, str], ...]:
        """The later row of each pair with both texts."""
        half, column = SHOWN // 2, {"text": self.case.asked[0]}
        file = self.case.source.folder / ROWS
        sides = [
            [row["text"] or "" for row in read_parquet_rows(file, column, side)] for side in zip(*pairs, strict=True)
        ]
        return tuple(
            (other + 1, f"{text[:half]} ≈ {one + 1}: {first[:half]}")
            for (one, other), first, text in zip(pairs, *sides, strict=True)
        )


findings.register(NearRepeated)
