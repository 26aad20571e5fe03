"""Numbers: a gauge over the range seen in training; how the numbers spread on the Data tab."""

from __future__ import annotations

from typing import Any

from studio.data.charted import label_counts
from studio.data.numbers import digits_of, parse, spoken
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.web.context import Page
from studio.web.kinds.base import Face, faces

BINS = 12


class ScoreFace(Face):
    """A number a row."""

    key = "score"

    def charts(self, page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
        return [number_chart(page, version, use.columns["number"])] if "number" in use.columns else []


def number_chart(page: Page, version: DataVersion, column: str) -> dict[str, Any]:
    """Bars of how many rows hold which numbers; a bar each where there are few different ones."""
    counted: dict[float, int] = {}
    for cell, rows in label_counts(version, column):
        if (value := parse(cell)) is not None:
            counted[value] = counted.get(value, 0) + rows
    bars = binned(counted)
    return {
        "title": page.t("web.data.numbers"),
        "x": [name for name, _ in bars],
        "y": [rows for _, rows in bars],
        "x_title": column,
        "y_title": page.t("web.data.rows"),
        "horizontal": False,
    }


def binned(counted: dict[float, int]) -> list[tuple[str, int]]:
    """(name, rows) of each number, or of at most `BINS` equal parts of their range."""
    if not counted:
        return []
    values = sorted(counted)
    if len(values) <= BINS:
        return [(f"{value:g}", counted[value]) for value in values]
    low, high = values[0], values[-1]
    step = (high - low) / BINS
    digits = digits_of(step)
    rows = [0] * BINS
    for value in values:
        rows[min(int((value - low) / step), BINS - 1)] += counted[value]
    edges = [spoken(low + place * step, digits) for place in range(BINS + 1)]
    return [(f"{edges[place]}–{edges[place + 1]}", count) for place, count in enumerate(rows)]


faces.register(ScoreFace())
