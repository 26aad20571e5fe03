"""Rows that say what an earlier row said, with the same label: letter case and white space do not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import EXAMPLES, SHOWN, Case, Finding, Seen, Told, findings
from studio.data.fingerprints import Repeats, fingerprint
from studio.data.mending import ROWS, Chosen
from studio.data.steps.base import PLACE
from studio.data.store import read_parquet_rows
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl


class Repeated(Finding):
    key = "rows_repeated"
    order = 40

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._columns = [*case.asked, *([case.label] if case.label else [])]
        self._repeats, self._seen = Repeats(), Seen()

    def see(self, frame: pl.DataFrame) -> None:
        if not self.case.asked:
            return
        known = len(self._repeats.pairs)
        rows = list(frame.select(PLACE, *self._columns).iter_rows())
        texts = len(self.case.asked)
        # Rows without text repeat nothing, whatever their label.
        told = ((place, fingerprint(*cells) if fingerprint(*cells[:texts]) else None) for place, *cells in rows)
        self._repeats.add(told)
        start = rows[0][0] if rows else 0
        for _, place in self._repeats.pairs[known:]:
            self._seen.add(place, rows[place - start][1] or "" if len(self._seen.examples) < EXAMPLES else "")

    def told(self) -> Iterator[Told]:
        seen = self._seen
        if seen.count:
            problem = Problem(self.key, "note", "data", seen.count, tuple(seen.examples), {"row": seen.first})
            options = {"columns": list(self.case.asked), "label": self.case.label}
            yield Told(problem, (Chosen("drop_duplicates", options),))

    def facts(self) -> dict[str, Any]:
        """The rows that stand there most often: [number of the first one, times, its cells]."""
        if not self.case.asked:
            return {}
        counts = Counter(first for first, _ in self._repeats.pairs).most_common(EXAMPLES)
        columns = {str(turn): column for turn, column in enumerate(self._columns)}
        rows = read_parquet_rows(self.case.source.folder / ROWS, columns, [first for first, _ in counts])
        frequent = [
            [first + 1, times + 1, [(text or "")[:SHOWN] for text in row.values()]]
            for (first, times), row in zip(counts, rows, strict=True)
        ]
        return {"repeated": self._seen.count, "frequent": frequent, "frequent_columns": self._columns}


findings.register(Repeated)
