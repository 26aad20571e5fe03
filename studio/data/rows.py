"""Rows on their way into a table: cells are text or null, counted as they come, with the limits enforced.

It collects and reports; where rows come from (`delimited`, `jsonrows`, `binary`) is not its business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.data import limits
from studio.errors import UserError
from studio.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

Cells = list["str | None"]
_BATCH = 10_000
_BATCH_BYTES = 2**24
_PLACE = 8
"""Bytes that a cell takes in Arrow beside its text."""
_EXAMPLES = 5
_NO_LETTER = re.compile("[\ud800-\udfff]")
"""Bytes of a file's name that are no UTF-8, as Python keeps them, and halves of characters in JSON."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class Broken:
    """A row that was left out: `problem.<code>`, its line number from 1, and what stood there."""

    code: str
    line: int
    text: str
    values: dict[str, Any] = field(default_factory=dict)


def tidy_name(name: str, limit: int = limits.NAME_CHARACTERS) -> str:
    """A name fit for a screen: composed, one line, without control and direction marks, at most `limit` long."""
    text = unicodedata.normalize("NFC", name.replace("\n", " ").replace("\r", " ").replace("\t", " "))
    return " ".join(_UNSEEN.sub("", _NO_LETTER.sub("\ufffd", text)).split())[:limit].strip()


def tidy_columns(names: list[str]) -> list[str]:
    """Unique names in the same order; nameless columns become column_1, column_2, ..."""
    turns: dict[str, int] = {}
    for place, name in enumerate(names):
        base = tidy_name(name)
        base = base or f"column_{place + 1}"
        unique = base
        while unique in turns:
            turns[base] += 1
            unique = f"{base}_{turns[base]}"
        turns[unique] = 1
    return list(turns)


class Table:
    """Collects rows in small Arrow batches. `tell(done)` hears how many bytes of the file have been read; `used` are
    rows and decoded bytes of files before it that count towards the limits."""

    def __init__(self, name: str, tell: Callable[[int], None], used: tuple[int, int] = (0, 0)) -> None:
        self._name = name
        self._tell = tell
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._pending: list[Cells] = []
        self._batches: list[pa.Table] = []
        self._rows = 0
        self._before, self._bytes = used
        self._flushed = self._bytes
        self._damaged: list[tuple[int, str]] = []
        self._damaged_count = 0
        self._broken: dict[str, list[Broken]] = {}
        self._counts: dict[str, int] = {}
        self.notes: list[Problem] = []
        """Findings of a reader that are no broken rows."""

    def __len__(self) -> int:
        return self._rows

    @property
    def used(self) -> tuple[int, int]:
        """Rows and decoded bytes, those of files before it among them."""
        return self._before + self._rows, self._bytes

    def columns(self, names: list[str]) -> None:
        """Name all columns at once. Raises UserError for too many."""
        if len(names) > limits.COLUMNS:
            raise UserError("data_too_many_columns", name=self._name, found=len(names), limit=limits.COLUMNS)
        self._names = list(names)
        self._places = {name: place for place, name in enumerate(names)}

    def progress(self, done: int) -> None:
        self._tell(done)

    def broken(self, row: Broken) -> None:
        """Report a row that is left out."""
        self._counts[row.code] = self._counts.get(row.code, 0) + 1
        examples = self._broken.setdefault(row.code, [])
        if len(examples) < _EXAMPLES:
            examples.append(row)

    def add(self, cells: Cells) -> None:
        """One row with a cell for every column. Raises UserError where a limit is passed."""
        self._rows += 1
        if self._before + self._rows > limits.ROWS:
            raise UserError("data_too_many_rows", name=self._name, limit=limits.ROWS)
        self._bytes += _PLACE * len(cells)
        for cell in cells:
            if cell is not None:
                self._bytes += len(cell)
                if len(cell) > limits.CELL_CHARACTERS:
                    raise UserError("data_cell_too_long", name=self._name, row=self._rows, limit=limits.CELL_CHARACTERS)
                if "\ufffd" in cell:
                    self._damaged_count += 1
                    if len(self._damaged) < _EXAMPLES:
                        self._damaged.append((self._rows, cell[:200]))
        if self._bytes > limits.DECODED_BYTES:
            raise UserError("data_decodes_too_large", name=self._name, limit=limits.DECODED_BYTES // 2**20)
        self._pending.append(cells)
        if len(self._pending) >= _BATCH or self._bytes - self._flushed > _BATCH_BYTES:
            self._flush()

    def add_object(self, row: dict[str, str | None]) -> None:
        """One row by column name; names not seen before become new columns."""
        for name in row:
            if name not in self._places:
                self.columns([*self._names, name])
        cells: Cells = [None] * len(self._names)
        for name, cell in row.items():
            cells[self._places[name]] = cell
        self.add(cells)

    def _flush(self) -> None:
        import pyarrow as pa

        width = len(self._names)
        columns = [
            pa.array([cells[place] if place < len(cells) else None for cells in self._pending], pa.large_string())
            for place in range(width)
        ]
        self._batches.append(pa.table(columns, names=[str(place) for place in range(width)]))
        self._pending = []
        self._flushed = self._bytes

    def finish(self) -> pa.Table:
        """All rows as one Arrow table of large_string columns. Raises UserError when there is no row at all."""
        import pyarrow as pa

        if self._pending:
            self._flush()
        if not self._rows or not self._names:
            if self._counts:
                worst = next(iter(self._broken.values()))[0]
                raise UserError(
                    "data_all_broken",
                    name=self._name,
                    count=sum(self._counts.values()),
                    line=worst.line,
                    text=worst.text,
                )
            raise UserError("data_no_rows", name=self._name)
        whole = pa.concat_tables(self._batches, promote_options="default")
        return whole.rename_columns(tidy_columns(self._names))

    def problems(self) -> list[Problem]:
        """What was left out or damaged on the way, one problem a kind."""
        found = [
            Problem(
                code,
                "warning",
                "data",
                self._counts[code],
                tuple((row.line, row.text) for row in examples),
                {"line": examples[0].line, **examples[0].values},
            )
            for code, examples in self._broken.items()
        ]
        if self._damaged_count:
            found.append(
                Problem(
                    "data_damaged_characters",
                    "warning",
                    "data",
                    self._damaged_count,
                    tuple(self._damaged),
                    {"row": self._damaged[0][0]},
                )
            )
        return found + self.notes
