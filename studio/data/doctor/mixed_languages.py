"""Texts in another language than most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.data.doctor.base import Case, Finding, Seen, Told, findings
from studio.data.languages import language_of
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

_MOSTLY = 0.6
"""Share of the texts whose language can be told from which on one of them is the data's own."""


class MixedLanguages(Finding):
    key = "languages_mixed"
    order = 36

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._seen: dict[str, Seen] = defaultdict(Seen)
        self._looked = 0

    def see(self, frame: pl.DataFrame) -> None:
        if not self.case.asked:
            return
        for place, text in frame.select(PLACE, self.case.asked[0]).iter_rows():
            if text and text.strip() and not place % self.case.stride:
                self._looked += 1
                if language := language_of(text):
                    self._seen[language].add(place, text)

    def told(self) -> Iterator[Told]:
        counts = {language: seen.count for language, seen in self._seen.items()}
        if len(counts) < 2:
            return
        main = max(counts, key=lambda language: counts[language])
        others = sum(counts.values()) - counts[main]
        if counts[main] < _MOSTLY * sum(counts.values()):
            return
        shown = sorted(pair for language, seen in self._seen.items() if language != main for pair in seen.examples)[:5]
        named = [f"{language} {count}" for language, count in sorted(counts.items(), key=lambda one: -one[1])]
        values = {"row": shown[0][0], "main": main, "languages": named[:6]}
        column = self.case.asked[0]
        problem = Problem(self.key, "warning", self.case.field(column), others, tuple(shown), values)
        yield Told(problem, (Chosen("keep_language", {"column": column, "spoken": main}),))

    def facts(self) -> dict[str, Any]:
        counts = sorted(((seen.count, language) for language, seen in self._seen.items()), reverse=True)
        if not self._looked:
            return {}
        return {"languages": {"looked": self._looked, "counts": [[language, count] for count, language in counts]}}


findings.register(MixedLanguages)
