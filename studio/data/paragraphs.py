"""Plain text whose lines were broken at a fixed width: its paragraphs, put together again, are the rows.

Blank lines tell paragraphs apart. A file of one sentence a line has lines of all lengths and is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_LEAST_LINES = 12
_NARROW, _WIDE = 30, 120
_FULL = 0.75
"""Share of the usual width from which a line counts as full."""
_MOST_FULL = 0.85
_WIDE_CHARACTERS = ("\u2e80", "\ua4cf"), ("\uac00", "\ud7af"), ("\uf900", "\ufaff"), ("\uff00", "\uff60")


def width_of(line: str) -> int:
    """Columns on a screen: a Chinese character takes two."""
    return len(line) + sum(any(low <= mark <= high for low, high in _WIDE_CHARACTERS) for mark in line)


def are_wrapped(lines: Iterable[str]) -> bool:
    """Whether nearly all lines but the last of each paragraph are about as wide as the widest."""
    inner: list[int] = []
    paragraphs = 0
    before: str | None = None
    for line in [*lines, ""]:
        text = line.rstrip()
        if before is not None and text:
            inner.append(width_of(before))
        elif before is not None:
            paragraphs += 1
        before = text or None
    if len(inner) < _LEAST_LINES or paragraphs < 2:
        return False
    usual = sorted(inner)[int(0.9 * (len(inner) - 1))]
    full = sum(width >= _FULL * usual for width in inner)
    return _NARROW <= usual <= _WIDE and full >= _MOST_FULL * len(inner)


def joined(lines: Iterable[str]) -> str:
    """One paragraph of its lines: with a space between them, without one between Chinese characters."""
    text = ""
    for line in lines:
        part = line.strip()
        tight = text and part and all(width_of(mark) == 2 for mark in (text[-1], part[0]))
        text += part if not text or tight else f" {part}"
    return text


def paragraphs(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, [text]) of each paragraph, from numbered lines."""
    start = 0
    held: list[str] = []
    for number, line in lines:
        if line.strip():
            start = start if held else number
            held.append(line)
        elif held:
            yield start, [joined(held)]
            held = []
    if held:
        yield start, [joined(held)]
