"""A problem found before any work starts: a code of the catalogue tied to a field, with what was seen."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from studio.words import has, say

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Problem:
    """`error` stops the start, `warning` is shown and may be accepted, `note` is good to know.

    `field` is the dotted place it belongs to ("columns.label", "training.epochs"), `count` how many rows show
    it, `examples` a few of them as (row number from 1, text).
    """

    code: str
    severity: str
    field: str = ""
    count: int = 0
    examples: tuple[tuple[int, str], ...] = ()
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def text(self, language: str = "en") -> str:
        """The sentence of `problem.<code>`, or of `code` itself where that is a whole code of the catalogue."""
        code = self.code if has(self.code) else f"problem.{self.code}"
        return say(code, language, count=self.count, **self.values)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Problem:
        return Problem(**{**raw, "examples": tuple((int(n), str(t)) for n, t in raw.get("examples", ()))})
