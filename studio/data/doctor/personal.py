"""Personal data left in texts: e-mail, phone, card and ID numbers, addresses of machines, secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.doctor.base import Case, Finding, Seen, Told, findings
from studio.data.mending import Chosen
from studio.data.privacy import find
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl


class Personal(Finding):
    key = "personal_data"
    order = 34
    covers = ("personal_data_some",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        # Conversations are looked at too, although no step can edit them yet.
        columns = [*case.texts, *(column for column in case.roles if column in case.layout.structured)]
        self._seen = {column: Seen() for column in columns}
        self._kinds: dict[str, Counter[str]] = {column: Counter() for column in columns}

    def see(self, frame: pl.DataFrame) -> None:
        for column, seen in self._seen.items():
            for place, text in frame.select(PLACE, column).iter_rows():
                found = find(text) if text else []
                if found:
                    first = max(0, found[0].start - 40)
                    seen.add(place, text[first:])
                    self._kinds[column].update({one.kind for one in found})

    def told(self) -> Iterator[Told]:
        for column, seen in self._seen.items():
            if seen.count:
                kinds = [
                    (f"data.personal.{kind}", {"count": count}) for kind, count in self._kinds[column].most_common()
                ]
                values = {"column": column, "row": seen.first, "kinds_codes": kinds}
                where = self.case.field(column)
                problem = Problem(self.key, "warning", where, seen.count, tuple(seen.examples), values)
                fix = () if column in self.case.layout.structured else (Chosen("redact", {"columns": [column]}),)
                yield Told(problem, fix)


findings.register(Personal)
