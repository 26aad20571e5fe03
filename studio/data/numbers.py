"""Numbers in cells, as people write them, and what is wrong with a column of them. Nothing is ever guessed silently."""

from __future__ import annotations

import math
import re
import statistics
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from studio.problem import Problem

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
_EITHER = re.compile(r"[+-]?\d{1,3},\d{3}")
"""One comma and three digits: a thousand to some, a decimal comma to others."""
_EXAMPLES = 5
_FAR, _FAR_ROWS = 50.0, 0.01
"""How many widths of the middle half a number lies off to look like a slip, and the most such rows, as a share."""
_FEW = 3
"""As many different numbers, or fewer, may be names of classes."""


def parse(cell: str | None) -> float | None:
    """The number in a cell, None where it holds none: "3.5", "3,5", "1,234.5", "1.234,5", "４．５", "85 %" (as 85)."""
    text = unicodedata.normalize("NFKC", cell or "").replace("−", "-").strip().removesuffix("%").rstrip()
    if _PLAIN.fullmatch(text):
        plain = text
    elif _GROUPS.fullmatch(text):
        plain = text.replace(",", "")
    elif _COMMA.fullmatch(text):
        plain = text.replace(",", ".")
    elif _POINTS.fullmatch(text):
        plain = text.replace(".", "").replace(",", ".")
    else:
        return None
    value = float(plain)
    return value if math.isfinite(value) else None


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether there are cells and all of them hold numbers."""
    return bool(cells) and all(parse(cell) is not None for cell in cells)


def digits_of(scale: float) -> int:
    """Decimals to show of numbers that spread by `scale`, so that about two places of it are seen."""
    return min(6, max(0, 1 - math.floor(math.log10(scale)))) if scale > 0 else 2


def scale_of(values: Sequence[float]) -> dict[str, Any]:
    """{"mean", "scale", "low", "high", "digits"} of training numbers: what standardises them, and the range seen."""
    spread = statistics.pstdev(values)
    scale = spread if spread > 0 else 1.0
    return {
        "mean": statistics.fmean(values),
        "scale": scale,
        "low": min(values),
        "high": max(values),
        "digits": digits_of(scale),
    }


def spoken(value: float, digits: int) -> str:
    """A number as it is shown, without a minus before nothing but noughts."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def number_problems(rows: Sequence[Mapping[str, str | None]], role: str, *, classes: bool = True) -> list[Problem]:
    """Cells that hold no number, the same number everywhere, commas that could mean either, numbers far off all others,
    and (with `classes`) so few different ones that they may be names. `rows` as the file has them, counted from 1."""
    field = f"columns.{role}"
    filled = [(number, str(row[role])) for number, row in enumerate(rows, 1) if (row.get(role) or "").strip()]
    known = [(number, cell, value) for number, cell in filled if (value := parse(cell)) is not None]
    broken = [(number, cell[:160]) for number, cell in filled if parse(cell) is None]
    found = []
    if broken:
        values: dict[str, Any] = {"row": broken[0][0], "cell": broken[0][1][:60]}
        shown = tuple(broken[:_EXAMPLES])
        if not known:
            return [Problem("numbers_none", "error", field, len(broken), shown, values)]
        found.append(Problem("numbers_unreadable", "warning", field, len(broken), shown, values))
    if not known:
        return found
    different = {value for _, _, value in known}
    if len(different) == 1:
        values = {"row": known[0][0], "value": known[0][1].strip()}
        return [*found, Problem("numbers_same", "error", field, len(known), values=values)]
    either = [(number, cell) for number, cell, _ in known if _EITHER.fullmatch(cell.strip())]
    if either:
        values = {"row": either[0][0], "cell": either[0][1], "read": parse(either[0][1])}
        found.append(Problem("numbers_comma", "warning", field, len(either), tuple(either[:_EXAMPLES]), values))
    found += _far_off(known, field)
    if classes and len(different) <= _FEW:
        found.append(Problem("numbers_few", "note", field, len(different), values={"numbers": sorted(different)}))
    return found


def _far_off(known: Sequence[tuple[int, str, float]], field: str) -> list[Problem]:
    """A few numbers so far off the others that they are likely slips or codes for "unknown" (9999, -1)."""
    ordered = sorted(value for _, _, value in known)
    count = len(ordered)
    low, high = ordered[count // 4], ordered[(3 * count) // 4]
    reach = _FAR * (high - low)
    if not reach:
        return []
    far = [(number, cell) for number, cell, value in known if not low - reach <= value <= high + reach]
    if not far or len(far) > max(1, _FAR_ROWS * count):
        return []
    values = {"row": far[0][0], "cell": far[0][1].strip(), "low": low, "high": high}
    return [Problem("numbers_far", "warning", field, len(far), tuple(far[:_EXAMPLES]), values)]
