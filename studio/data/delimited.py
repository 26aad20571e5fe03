"""Rows of delimited and plain text: which delimiter, quoted or not, header or none; broken rows by line number.

Lines are read as text with the standard library's csv reader, strictly, because it is the only one that can name
the line of a broken row and go on behind it. One row too long or too short is left out and reported, never bent.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from studio.data import limits
from studio.data.paragraphs import are_wrapped, paragraphs
from studio.data.rows import Broken, Table
from studio.errors import UserError
from studio.problem import Problem

DELIMITERS = (",", "\t", ";", "|")
_PROBE = 200
_PROBE_LINES = 20_000
"""Records, and lines (blank ones too), from which the dialect is judged."""
TELL = 10_000
"""Lines after which progress is told: also where none of them holds a row, so that the reader does not seem dead."""
_PROBE_WRAPPED = 2_000
"""Lines from which it is judged whether they were broken at a fixed width."""
_SURE = 0.9
"""Share of lines with the same number of cells from which a text counts as a table."""
_LIKELY = 0.4
"""The same for a file that calls itself .csv or .tsv."""
_NUMBER = re.compile(r"[+-]?[\d.,]+%?")
_HEADER_WORDS = frozenset(
    "text label labels id class category sentence review comment content message title target topic intent sentiment "
    "question answer prompt response instruction input output name date score rating language lang source url index "
    "文本 内容 标签 类别 分类 情感 评论 标题 问题 回答 编号 序号 日期 评分 正文 句子 意图".split()
)


@dataclass(frozen=True)
class Dialect:
    """How a text file is cut into cells. `delimiter` "" means one cell a line, or a paragraph where lines are `wrapped`
    at a fixed width."""

    delimiter: str
    quoted: bool
    header: bool
    width: int
    names: tuple[str, ...]
    wrapped: bool = False


class Lines:
    """The lines of a text file with their numbers; lines can be given back. Too long a line is a UserError."""

    def __init__(self, handle: TextIO, name: str) -> None:
        self._handle = handle
        self._name = name
        self._back: deque[str] = deque()
        self.number = 0
        """Number of the line read last, from 1."""
        self.record: list[str] = []
        """Lines read since the last `fresh`."""

    def fresh(self) -> None:
        """A new record begins with the next line."""
        self.record = []

    def give_back(self, lines: list[str]) -> None:
        """Read `lines` (the last ones read) again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if len(self.record) >= limits.QUOTED_LINES:
            raise csv.Error("quote never closed")
        line = self._back.popleft() if self._back else self._handle.readline(limits.LINE_CHARACTERS + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > limits.LINE_CHARACTERS:
            raise UserError("data_line_too_long", name=self._name, line=self.number, limit=limits.LINE_CHARACTERS)
        self.record.append(line)
        return line


def open_text(path: Path, encoding: str) -> TextIO:
    """The file as text, line ends untouched; bytes that fit no character become U+FFFD, which is counted later."""
    return path.open("r", encoding=encoding, errors="replace", newline="")


def records(lines: Lines, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str] | None]]:
    """(line number, cells) of each record; cells is None where quoting is broken and the line is left out.

    Only the first line of a broken record is lost: the ones that an open quote swallowed are read again.
    """
    if not delimiter:
        for line in lines:
            lines.fresh()
            yield lines.number, [line.rstrip("\r\n")]
        return
    csv.field_size_limit(limits.CELL_CHARACTERS)
    reader = csv.reader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
    )
    while True:
        lines.fresh()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if not lines.record:
                return
            lines.give_back(lines.record[1:])
            yield lines.number, None
            continue
        yield lines.number - len(lines.record) + 1, cells


def recognise(path: Path, encoding: str, name: str) -> Dialect:
    """The dialect of a text file, from its first lines."""
    suffix = Path(name).suffix.lower()
    best, best_share, best_width, best_quoted = "", 0.0, 1, True
    for delimiter in DELIMITERS:
        share, width, quoted = _consistency(path, encoding, name, delimiter)
        if width > 1 and (share, width) > (best_share, best_width):
            best, best_share, best_width, best_quoted = delimiter, share, width, quoted
    enough = _LIKELY if suffix in (".csv", ".tsv") else _SURE
    if best_share < enough:
        share, width, best_quoted = _consistency(path, encoding, name, ",")
        best, best_width = ("," if suffix == ".csv" and width == 1 and share > _SURE else ""), 1
    first = _first(path, encoding, name, best, best_quoted)
    names = header_of(first, best_width, suffix)
    unnamed = ["text"] if best_width == 1 else [""] * best_width
    wrapped = not best and not names and _wrapped(path, encoding, name)
    return Dialect(best, best_quoted, bool(names), best_width, tuple(names or unnamed), wrapped)


def _wrapped(path: Path, encoding: str, name: str) -> bool:
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        seen = []
        for line in lines:
            lines.fresh()
            seen.append(line)
            if len(seen) >= _PROBE_WRAPPED:
                break
    return are_wrapped(seen)


def header_of(first: list[list[str]], width: int, suffix: str) -> list[str]:
    """The `width` column names in the first of some records, or [] where it holds data."""
    if not _has_header(first, width, suffix):
        return []
    return _names([cell.lstrip("\ufeff") for cell in first[0]], width)


def read(path: Path, encoding: str, dialect: Dialect, name: str, table: Table) -> None:
    """Put every row of the file into `table`; broken ones are reported there."""
    table.columns(list(dialect.names))
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        skip = dialect.header
        told = 0
        found = _numbered(lines) if dialect.wrapped else records(lines, dialect.delimiter, dialect.quoted)
        for number, cells in found:
            if number >= told + TELL:
                told = number
                table.progress(handle.buffer.tell())
            if cells is None:
                table.broken(Broken("data_broken_quote", number, lines.record[0].strip()[:200]))
                continue
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if skip:
                skip = False
                continue
            while len(cells) > dialect.width and not cells[-1].strip():
                cells.pop()
            if len(cells) != dialect.width:
                shown = dialect.delimiter.join(cells)[:200]
                code = "data_broken_long" if len(cells) > dialect.width else "data_broken_short"
                table.broken(Broken(code, number, shown, {"cells": len(cells), "width": dialect.width}))
                continue
            table.add([cell if cell else None for cell in cells])

    if dialect.wrapped:
        table.notes.append(Problem("data_paragraphs", "note", "data", len(table)))


def _numbered(lines: Lines) -> Iterator[tuple[int, list[str] | None]]:
    """Paragraphs as records."""

    def each() -> Iterator[tuple[int, str]]:
        for line in lines:
            lines.fresh()
            yield lines.number, line

    yield from paragraphs(each())


def _consistency(path: Path, encoding: str, name: str, delimiter: str) -> tuple[float, int, bool]:
    """(share of records with the commonest width, that width, whether quotes are quoting) of the first records."""
    share, width, broken, quoting = _widths(path, encoding, name, delimiter, True)
    if broken > quoting:
        # Quotes that break more records than they hold together are plain characters here.
        return (*_widths(path, encoding, name, delimiter, False)[:2], False)
    return share, width, True


def _widths(path: Path, encoding: str, name: str, delimiter: str, quoted: bool) -> tuple[float, int, int, int]:
    """(share of the commonest width, that width, broken records, records whose quotes are quoting)."""
    widths: Counter[int] = Counter()
    broken = quoting = 0
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        for _, cells in records(lines, delimiter, quoted):
            if cells is None:
                broken += 1
            elif cells:
                widths[len(cells)] += 1
                written = sum(line.count('"') for line in lines.record)
                quoting += written > sum(cell.count('"') for cell in cells)
            if broken + widths.total() >= _PROBE or lines.number > _PROBE_LINES:
                break
    if not widths:
        return 0.0, 1, broken, quoting
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return count / (broken + widths.total()), width, broken, quoting


def _first(path: Path, encoding: str, name: str, delimiter: str, quoted: bool) -> list[list[str]]:
    found = []
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        for _, cells in records(lines, delimiter, quoted):
            if cells and any(cell.strip() for cell in cells):
                found.append(cells)
            if len(found) >= _PROBE or lines.number > _PROBE_LINES:
                break
    return found


def _has_header(first: list[list[str]], width: int, suffix: str) -> bool:
    """Whether the first record names the columns: its cells are unlike those below them."""
    if not first:
        return False
    head = [cell.strip().lstrip("\ufeff") for cell in first[0]]
    if len(first) == 1:
        return any(cell.lower() in _HEADER_WORDS for cell in head)
    if len(head) == width - 1:
        head = ["", *head]
    if len({cell.lower() for cell in head if cell}) < sum(bool(cell) for cell in head):
        return False
    if any(_NUMBER.fullmatch(cell) or len(cell) > limits.NAME_CHARACTERS for cell in head):
        return False
    votes = 2 * sum(cell.lower() in _HEADER_WORDS for cell in head)
    rows = [cells for cells in first[1:] if len(cells) == width]
    for place, cell in enumerate(head[:width]):
        below = [cells[place].strip() for cells in rows]
        votes += _unlike(cell, [text for text in below if text])
    if votes == 0:
        return width > 1 and suffix in (".csv", ".tsv")
    return votes > 0


def _unlike(cell: str, below: list[str]) -> int:
    """Evidence that `cell` is the name of the column `below`: +1, 0 or -1 (-2 where it is one of few values)."""
    if not below or not cell:
        return 0
    if all(_NUMBER.fullmatch(text) for text in below):
        return 1
    counts = Counter(below)
    if len(below) >= 4 and len(counts) <= len(below) / 2:
        return -2 if cell in counts else 1
    mean = sum(map(len, below)) / len(below)
    if mean > 12:
        return 1 if len(cell) < 0.5 * mean and len(cell) <= 30 and len(cell.split()) <= 4 else -1
    return -1 if cell in counts else 0


def _names(head: list[str], width: int) -> list[str]:
    """`width` names; a header one short of its rows lacks the name of a leading index column."""
    if len(head) == width - 1:
        head = ["", *head]
    return head[:width] + [""] * (width - len(head))
