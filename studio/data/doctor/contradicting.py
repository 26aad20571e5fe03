"""The same text in several rows under different labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.doctor.base import EXAMPLES, SHOWN, Case, Finding, Told, findings
from studio.data.fingerprints import conflicts
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE
from studio.data.store import read_parquet_rows
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl


class Contradicting(Finding):
    key = "rows_contradict"
    order = 20

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._able = bool(case.label and case.asked)

    def told(self) -> Iterator[Told]:
        if not self._able:
            return
        columns = [PLACE, self.case.label, *self.case.asked]
        frames: Iterator[pl.DataFrame] = self.case.source.frames()
        rows = (row for frame in frames for row in frame.select(columns).iter_rows())
        torn = conflicts((place, label, texts) for place, label, *texts in rows)
        if torn:
            spots = [(place, label) for group in torn for place, label in zip(group.places, group.labels, strict=True)]
            chosen = spots[: 2 * EXAMPLES]
            path = self.case.source.folder / "rows.parquet"
            texts = read_parquet_rows(path, {"text": self.case.asked[0]}, [place for place, _ in chosen])
            shown = tuple(
                (place + 1, f"{(row['text'] or '')[: SHOWN - 40]} → {label}")
                for (place, label), row in zip(chosen, texts, strict=True)
            )
            values = {"row": spots[0][0] + 1, "texts": len(torn)}
            problem = Problem(self.key, "warning", "columns.label", len(spots), shown, values)
            options = {"columns": list(self.case.asked), "label": self.case.label, "keep": "majority"}
            yield Told(problem, (Chosen("drop_conflicts", options),))


findings.register(Contradicting)
