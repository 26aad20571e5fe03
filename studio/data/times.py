"""When a row is from, as its cell says it: dates and times in the forms people write, years, and seconds since 1970.

Only the order counts: the answer is a number that rises with time, and None for a cell that names no moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})\s*日?)?月?\s*(.*)", re.S)
_YEAR_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4}),?\s*(.*)", re.S)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"(?:[a-z]{3,9},?\s+)?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_MONTH = r"([a-z]{3,9})\.?"
_DAY_MONTH = re.compile(_WEEKDAY + _DAY + r"[\s-]+" + _MONTH + r",?[\s-]+(\d{4}),?\s*(.*)", re.I | re.S)
_MONTH_DAY = re.compile(_WEEKDAY + _MONTH + r"\s+" + _DAY + r",?\s+(\d{4}),?\s*(.*)", re.I | re.S)
_CLOCK = re.compile(r"(\d{1,2})\s*[:时点]\s*(\d{1,2})(?:\s*[:分]\s*(\d{1,2})(?:\.\d+)?\s*秒?)?分?\s*(am|pm)?", re.I)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


def day_first(cells: Iterable[str | None]) -> bool:
    """Whether a column that writes 03/04/2024 means the third of April: some cell says so, or none says otherwise and
    dots stand between (as only day-first countries write)."""
    dotted = slashed = False
    for cell in cells:
        found = _YEAR_LAST.match((cell or "").strip())
        if found:
            if int(found[1]) > 12:
                return True
            if int(found[2]) > 12:
                return False
            dotted = dotted or "." in found[0]
            slashed = slashed or "/" in found[0]
    return dotted and not slashed


def moment(cell: str | None, days_first: bool = False) -> float | None:
    """Seconds since 1970 for a date, the number itself for a plain number (a year, a count), None for anything else."""
    text = (cell or "").strip()
    if not text or len(text) > 60:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        return _stamp(datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        return _written(text, days_first)
    except (ValueError, OverflowError):
        return None


def _written(text: str, days_first: bool) -> float | None:
    if found := _YEAR_FIRST.fullmatch(text):
        return _at(int(found[1]), int(found[2]), int(found[3] or 1), found[4])
    if found := _YEAR_LAST.fullmatch(text):
        day, month = (found[1], found[2]) if days_first else (found[2], found[1])
        return _at(int(found[3]), int(month), int(day), found[4])
    if found := _DAY_MONTH.fullmatch(text):
        return _at(int(found[3]), _month(found[2]), int(found[1]), found[4])
    if found := _MONTH_DAY.fullmatch(text):
        return _at(int(found[3]), _month(found[1]), int(found[2]), found[4])
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _at(year: int, month: int, day: int, rest: str) -> float:
    """The moment of a day and what is said of the clock behind it, if it is a clock."""
    clock = _CLOCK.search(rest or "")
    hour, minute, second = (int(part or 0) for part in clock.group(1, 2, 3)) if clock else (0, 0, 0)
    if clock and clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0)
    return _stamp(datetime(year, month, day, hour, minute, second))


def _stamp(when: datetime) -> float:
    # Clocks without a zone are taken for UTC: only the order within a column matters.
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (aware - _EARLIEST).total_seconds() - (datetime(1970, 1, 1, tzinfo=UTC) - _EARLIEST).total_seconds()
