"""Rows whose text is nearly that of an earlier row with the same label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.doctor.base import EXAMPLES, SHOWN, Case, Finding, Told, findings
from studio.data.mending import Chosen
from studio.data.near import nearly_equal
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

LIKENESS = 0.8


class NearRepeated(Finding):
    key = "rows_near_repeated"
    order = 42

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._rows: list[tuple[int, str | None, str | None]] = []

    def see(self, frame: pl.DataFrame) -> None:
        if self.case.asked:
            label = [self.case.label] if self.case.label else []
            for place, text, *rest in frame.select(PLACE, self.case.asked[0], *label).iter_rows():
                self._rows.append((place, text, rest[0] if rest else None))

    def told(self) -> Iterator[Told]:
        pairs = nearly_equal(self._rows, LIKENESS)
        if pairs:
            texts = {place: text or "" for place, text, _ in self._rows}
            later = sorted(other for _, other in pairs)
            first = dict((other, one) for one, other in pairs)
            half = SHOWN // 2
            shown = tuple(
                (other + 1, f"{texts[other][:half]} ≈ {first[other] + 1}: {texts[first[other]][:half]}")
                for other in later[:EXAMPLES]
            )
            problem = Problem(self.key, "note", "data", len(later), shown, {"row": later[0] + 1})
            options = {"column": self.case.asked[0], "likeness": LIKENESS, "label": self.case.label}
            yield Told(problem, (Chosen("drop_near_duplicates", options),))


findings.register(NearRepeated)
