"""Rows in from Parquet, answers out as CSV or JSONL beside the file's own columns. Knows no model.

A CSV cell that a spreadsheet would take for a formula gets a leading apostrophe and every cell is quoted; JSONL
keeps all texts exactly as they were.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from studio.data.threads import Threads
from studio.errors import UserError
from studio.tasks.base import Role, Task
from studio.tasks.earlier import EARLIER, THREAD, TURN

if TYPE_CHECKING:
    import pyarrow as pa

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
FORMATS = (".csv", ".jsonl")
Cells = dict[str, "str | None"]
AnswerCells = Callable[[Mapping[str, Any]], dict[str, Any]]


def harmless(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class Table:
    """A Parquet file of text cells, read a piece at a time. Raises UserError (`predict_file_unreadable`)."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise UserError("predict_file_unreadable", name=path.name, reason=str(error)[:200]) from error
        self.name = path.name
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self.rows = int(self._file.metadata.num_rows)

    def pieces(self, size: int) -> Iterator[list[Cells]]:
        """Up to `size` rows at a time, each a dict column -> text or None."""
        for batch in self._file.iter_batches(batch_size=size):
            columns = {
                name: [value if value is None or isinstance(value, str) else str(value) for value in column.to_pylist()]
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]

    def column(self, name: str) -> pa.ChunkedArray:
        """One column whole, as text: what belongs together may lie in several pieces."""
        return self._file.read(columns=[name]).column(name).cast("string")

    def close(self) -> None:
        self._file.close()


def as_sheet(source: Path, target: Path) -> None:
    """Answers written as JSONL once more as `target` (.csv). Raises UserError (`predict_out_unwritable`)."""
    with source.open(encoding="utf-8") as lines, AnswerFile(target, (), dict) as out:
        for line in lines:
            out.write([{}], [json.loads(line)])


def match_columns(task: Task, wanted: Mapping[str, str], there: Sequence[str]) -> dict[str, str]:
    """Which column plays each role of the question: as wanted, by a name such roles have, or the file's only column.

    Roles that hold the truth need no column. Raises UserError (`predict_column_missing`) naming what is there.
    """
    found: dict[str, str] = {}
    by_name = {name.casefold(): name for name in reversed(there)}
    asked = task.asked
    for role in asked:
        names = [wanted.get(role.key, ""), *(by_name.get(name.casefold(), "") for name in (role.key, *role.names))]
        place = next((name for name in names if name in there and name not in found.values()), None)
        if place is not None:
            found[role.key] = place
    missing = [role.key for role in asked if role.required and role.key not in found]
    if not found and not missing:
        missing = [asked[0].key]
    if missing and len(there) == 1:
        return {task.bare_role: there[0]}
    if missing:
        raise UserError("predict_column_missing", missing=[wanted.get(key) or key for key in missing], columns=there)
    return found


class Earlier:
    """The earlier rows of each row's conversation in a table, for a model that reads `most` of them; none for others.

    Raises UserError (`predict_column_missing`) where no column names conversations.
    """

    def __init__(self, table: Table, wanted: Mapping[str, str], columns: Mapping[str, str], most: int) -> None:
        self._most = most
        if not most:
            return
        thread, turn = (_named(role, wanted, table.columns) for role in (THREAD, TURN))
        if not thread:
            raise UserError("predict_column_missing", missing=[wanted.get(THREAD.key) or "-"], columns=table.columns)
        turns = table.column(turn).to_pylist() if turn else None
        self._threads = Threads(table.column(thread).to_pylist(), turns)
        self._texts = table.column(columns["text"])

    def beside(self, place: int) -> Cells:
        """What the row at `place` has besides its roles."""
        if not self._most:
            return {}
        return {EARLIER: self._threads.before(place, lambda at: self._texts[at].as_py(), self._most)}


def _named(role: Role, wanted: Mapping[str, str], there: Sequence[str]) -> str:
    """The column of this role: the one of the training, else one with a name such columns have; "" without any."""
    if wanted.get(role.key) in there:
        return wanted[role.key]
    by_name = {name.casefold(): name for name in reversed(there)}
    return next((by_name[name] for name in (role.key, *role.names) if name in by_name), "")


def as_asked(row: Cells, columns: Mapping[str, str]) -> Cells:
    """The row by role."""
    return {role: row[name] for role, name in columns.items()}


class AnswerFile:
    """Writes rows with their answers to `path`, which appears whole at the end or not at all.

    `cells` puts a prediction into named cells, the same names for every row. Raises UserError (`predict_out_format`,
    `predict_out_unwritable`).
    """

    def __init__(self, path: Path, columns: Sequence[str], cells: AnswerCells) -> None:
        if path.suffix.lower() not in FORMATS:
            raise UserError("predict_out_format", name=path.name, formats=list(FORMATS))
        self._path = path
        self._columns, self._cells = list(columns), cells
        self._half = path.with_name(f".{path.name}.{os.getpid()}.half")
        self._names: dict[str, str] = {}
        self._sheet: Any = None
        try:
            # The byte-order mark tells spreadsheets that the text is UTF-8; without it Chinese turns to noise.
            csv_file = path.suffix.lower() == ".csv"
            self._out = self._half.open("w", encoding="utf-8-sig" if csv_file else "utf-8", newline="")
        except OSError as error:
            raise self._unwritable(error) from error
        if csv_file:
            self._sheet = csv.writer(self._out, quoting=csv.QUOTE_ALL)

    def named(self, name: str) -> str:
        """What the cell `name` of a prediction is called in the file; "" before the first row and for unknown ones."""
        return self._names.get(name, "")

    def write(self, rows: Sequence[Cells], predictions: Sequence[Mapping[str, Any]]) -> None:
        """Append rows with their predictions, one each."""
        try:
            for row, prediction in zip(rows, predictions, strict=True):
                self._write_one(row, self._cells(prediction))
        except OSError as error:
            raise self._unwritable(error) from error

    def _write_one(self, row: Cells, cells: Mapping[str, Any]) -> None:
        if not self._names:
            self._names = {name: self._free_name(name) for name in cells}
            if self._sheet is not None:
                self._sheet.writerow([harmless(name) for name in [*self._columns, *self._names.values()]])
        named = {**row, **{self._names[name]: value for name, value in cells.items()}}
        if self._sheet is None:
            self._out.write(json.dumps(named, ensure_ascii=False) + "\n")
        else:
            self._sheet.writerow([harmless(value) if isinstance(value, str) else value for value in named.values()])

    def _free_name(self, name: str) -> str:
        """`name`, or the first of name_2, name_3, ... that the file does not use already."""
        taken, free, count = {*self._columns, *self._names.values()}, name, 1
        while free in taken:
            count += 1
            free = f"{name}_{count}"
        return free

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish the file, or remove the half of it after an error or a cancel."""
        try:
            if self._sheet is not None and not self._names and kind is None:
                self._sheet.writerow([harmless(name) for name in self._columns])
            self._out.close()
            if kind is None:
                self._half.replace(self._path)
        except OSError as trouble:
            raise self._unwritable(trouble) from trouble
        finally:
            self._half.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError("predict_out_unwritable", name=self._path.name, reason=error.strerror or str(error))
