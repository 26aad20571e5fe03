"""Rows of Parquet files and of Excel workbooks, decoded piece by piece while real bytes are counted.

What a footer or a zip header says about sizes is never believed: 530 kB of Parquet can hold 5 GB.
"""

from __future__ import annotations

import datetime
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.data import limits
from studio.data.archives import BAD_ZIP
from studio.data.delimited import header_of
from studio.data.jsonrows import TooDeep, cell
from studio.data.rows import Table
from studio.errors import UserError
from studio.problem import Problem

_ROWS_AT_ONCE = 512
_CHUNK = 2**20


def read_parquet(path: Path, name: str, table: Table) -> None:
    """Every column as text: numbers as Arrow writes them, nested values as JSON; bytes that are no text are left out.

    Raises UserError for a damaged file and for limits passed.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            schema = file.schema_arrow
            if len(schema) > limits.COLUMNS:
                raise UserError("data_too_many_columns", name=name, found=len(schema), limit=limits.COLUMNS)
            if file.metadata.num_rows > limits.ROWS:
                raise UserError("data_too_many_rows", name=name, limit=limits.ROWS)
            kept = [field.name for field in schema if not _is_bytes(field.type)]
            for field in schema:
                if _is_bytes(field.type):
                    table.notes.append(
                        Problem("data_bytes_column", "warning", "data", 1, values={"column": field.name})
                    )
            table.columns(kept)
            names = _label_names(schema.metadata)
            places = [place for place, field in enumerate(schema) if not _is_bytes(field.type)]
            decoded = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, use_threads=False):
                decoded += batch.nbytes
                if decoded > limits.DECODED_BYTES:
                    raise UserError("data_decodes_too_large", name=name, limit=limits.DECODED_BYTES // 2**20)
                for cells in zip(
                    *[_texts(_spoken(batch.column(place), names.get(schema[place].name))) for place in places],
                    strict=True,
                ):
                    table.add(list(cells))
                table.progress(int(path.stat().st_size * len(table) / max(file.metadata.num_rows, 1)))
    except MemoryError:
        raise
    except (TooDeep, RecursionError):
        raise UserError("data_json_deep", name=name, limit=limits.DEPTH) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise UserError("data_damaged", name=name, reason=str(error).splitlines()[0][:160]) from error


def _label_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of labels kept as numbers, by column, as `datasets` writes them beside the columns."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        inner = {name: feature.get("feature", feature) for name, feature in features.items()}
        named = {name: one["names"] for name, one in inner.items() if one.get("_type") == "ClassLabel"}
        return {name: names for name, names in named.items() if all(isinstance(one, str) for one in names)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _spoken(column: pa.Array, names: list[str] | None) -> pa.Array:
    """Numbers of labels, alone or in lists, as their names; what no name belongs to (-1: no label) is null."""
    kind = column.type
    if names and pa.types.is_integer(kind):
        return pa.array([_name(one, names) for one in column.to_pylist()], pa.string())
    if names and (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_integer(kind.value_type):
        rows = [None if row is None else [_name(one, names) for one in row] for row in column.to_pylist()]
        return pa.array(rows, pa.list_(pa.string()))
    return column


def _name(number: int | None, names: list[str]) -> str | None:
    return names[number] if number is not None and 0 <= number < len(names) else None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _texts(column: pa.Array) -> Iterator[str | None]:
    """The cells of one column as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_map(kind):
        return (None if value is None else _nested(value) for value in column.to_pylist())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = column.cast(pa.large_string())
    return (value or None for value in column.to_pylist())


def _nested(value: Any) -> str | None:
    return cell(json.loads(json.dumps(value, ensure_ascii=False, default=_plain)))


def _plain(value: Any) -> str:
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def read_xlsx(path: Path, name: str, table: Table) -> bool:
    """The first sheet with cells, every cell as text as Excel stores it; returns whether its first row is a header.

    Formulas give their stored result, macros and links are never followed. Raises UserError for workbooks that
    unpack hugely, hold a document type (entity bombs), or are damaged.
    """
    import fastexcel

    _weigh(path, name)
    try:
        book = fastexcel.read_excel(str(path))
        chosen = rows = None
        for sheet in book.sheet_names:
            chosen, rows = sheet, book.load_sheet(sheet, header_row=None, dtypes="string").to_arrow()
            if rows.num_rows:
                break
    except fastexcel.FastExcelError as error:
        raise UserError("data_damaged", name=name, reason=str(error).splitlines()[0][:160]) from error
    if rows is None or not rows.num_rows:
        raise UserError("data_no_rows", name=name)
    if rows.num_rows > limits.ROWS + 1:
        raise UserError("data_too_many_rows", name=name, limit=limits.ROWS)
    if len(book.sheet_names) > 1:
        values = {"sheet": chosen, "sheets": len(book.sheet_names)}
        table.notes.append(Problem("data_first_sheet", "note", "data", len(book.sheet_names), values=values))
    width = rows.num_columns
    start = rows.slice(0, 200)
    first = [[value or "" for value in row.values()] for row in start.to_pylist()]
    names = header_of(first, width, ".csv")
    table.columns(names or [""] * width)
    skip = bool(names)
    for offset in range(0, rows.num_rows, _ROWS_AT_ONCE):
        columns = [column.to_pylist() for column in rows.slice(offset, _ROWS_AT_ONCE).columns]
        for cells in zip(*columns, strict=True):
            if skip:
                skip = False
            elif any(cells):
                table.add([value or None for value in cells])
        table.progress(int(path.stat().st_size * offset / rows.num_rows))
    return bool(names)


def _weigh(path: Path, name: str) -> None:
    """Unpack every part once without keeping it, counting real bytes, and refuse document types in any XML."""
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > limits.ARCHIVE_MEMBERS:
                raise UserError("data_decodes_too_large", name=name, limit=limits.ARCHIVE_BYTES // 2**20)
            for member in members:
                with archive.open(member) as part:
                    before = b""
                    while chunk := part.read(_CHUNK):
                        total += len(chunk)
                        if total > limits.ARCHIVE_BYTES:
                            raise UserError("data_decodes_too_large", name=name, limit=limits.ARCHIVE_BYTES // 2**20)
                        if b"<!DOCTYPE" in (before[-9:] + chunk) or b"<!ENTITY" in (before[-9:] + chunk):
                            raise UserError("data_xml_unsafe", name=name, part=member.filename[:80])
                        before = chunk
    except BAD_ZIP as error:
        raise UserError("data_damaged", name=name, reason=str(error)[:160]) from error
