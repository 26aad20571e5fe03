"""Cells of a required role that hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import Case, Finding, Seen, Told, findings
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE, filled
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl


class Missing(Finding):
    key = "cells_missing"
    order = 10

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._seen = {column: Seen() for column in case.required}
        self._lacking = 0

    def see(self, frame: pl.DataFrame) -> None:
        import polars as pl

        if self._seen:
            self._lacking += frame.filter(~pl.all_horizontal(filled(column) for column in self._seen)).height
        for column, seen in self._seen.items():
            for row in frame.filter(~filled(column)).iter_rows(named=True):
                shown = next((text for name, text in row.items() if name in self.case.roles and text), "")
                seen.add(row[PLACE], shown)

    def told(self) -> Iterator[Told]:
        for column, seen in self._seen.items():
            if seen.count:
                severity = "error" if seen.count == self.case.rows else "warning"
                values = {"column": column, "row": seen.first}
                where = self.case.field(column)
                problem = Problem(self.key, severity, where, seen.count, tuple(seen.examples), values)
                yield Told(problem, (Chosen("drop_blank", {"columns": [column]}),))

    def facts(self) -> dict[str, Any]:
        return {"rows": self.case.rows, "columns": len(self.case.layout.columns), "lacking": self._lacking}


findings.register(Missing)
