"""Labels that are spelt in several ways, have hardly any rows, or are very uneven (`studio.data.labels` finds them)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import EXAMPLES, Case, Finding, Told, findings
from studio.data.labels import RARE, UNEVEN, label_problems, spelling_variants
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE

if TYPE_CHECKING:
    import polars as pl


class LabelTrouble(Finding):
    key = "labels_spelling"
    order = 30
    covers = ("labels_rare", "labels_uneven")

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._counts: Counter[str] = Counter()
        self._rows: dict[str, list[int]] = {}

    def see(self, frame: pl.DataFrame) -> None:
        if not self.case.label:
            return
        for place, label in frame.select(PLACE, self.case.label).iter_rows():
            if label is not None and label.strip():
                self._counts[label] += 1
                rows = self._rows.setdefault(label, [])
                if len(rows) < EXAMPLES:
                    rows.append(place + 1)

    def told(self) -> Iterator[Told]:
        column = self.case.label
        known = sorted((row, label) for label, rows in self._rows.items() for row in rows)
        variants = spelling_variants(self._counts)
        pairs = [list(pair) for pair in sorted(variants.items())]
        fixes = {
            "labels_spelling": Chosen("map_labels", {"label": column, "pairs": pairs}),
            "labels_rare": Chosen("drop_rare", {"label": column, "rows": RARE}),
            "labels_uneven": Chosen("balance", {"label": column, "how": "cut", "ratio": UNEVEN}),
        }
        for problem in label_problems(known, self._counts):
            if problem.code == "labels_spelling":
                yield Told(problem, (fixes[problem.code],))
        # A label that is rare because it is misspelt is not rare once that is mended, and must not be dropped for it.
        united: Counter[str] = Counter()
        for label, count in self._counts.items():
            united[variants.get(label, label)] += count
        shown = [(row, label) for row, label in known if label not in variants]
        for problem in label_problems(shown, united):
            if problem.code != "labels_spelling":
                yield Told(problem, () if variants else (fixes[problem.code],))

    def facts(self) -> dict[str, Any]:
        if not self._counts:
            return {}
        (most, high), (least, low) = self._counts.most_common()[0], self._counts.most_common()[-1]
        told = {"column": self.case.label, "labels": len(self._counts), "rows": self._counts.total()}
        return {"labels": {**told, "most": most[:60], "high": high, "least": least[:60], "low": low}}


findings.register(LabelTrouble)
