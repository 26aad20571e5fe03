"""Rows of JSON Lines and JSON documents; nested values are kept as compact JSON text, numbers as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.data import limits, squad
from studio.data.delimited import TELL, Lines, open_text
from studio.data.rows import Broken, Table
from studio.data.sniffing import CHAT_KEYS
from studio.errors import UserError

_WHOLE_NUMBER = 300
"""Digits beyond which a number is no number but an attack on the parser."""


class _Whole(int):
    """An integer that remembers how it was written."""

    written: str

    def __new__(cls, text: str) -> _Whole:
        if len(text) > _WHOLE_NUMBER:
            raise ValueError("number too long")
        made = super().__new__(cls, text)
        made.written = text
        return made


class _Real(float):
    """A float that remembers how it was written ("1.0", "1e5")."""

    written: str

    def __new__(cls, text: str) -> _Real:
        made = super().__new__(cls, text)
        made.written = text
        return made


class TooDeep(ValueError):
    """Nested beyond the limit."""


_decoder = json.JSONDecoder(parse_int=_Whole, parse_float=_Real, parse_constant=str)


def read_lines(path: Path, encoding: str, name: str, table: Table) -> None:
    """JSON Lines: an object a line. Lines that are something else are reported and left out."""
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        for line in lines:
            lines.fresh()
            if lines.number % TELL == 0:
                table.progress(handle.buffer.tell())
            text = line.strip().lstrip("\ufeff")
            if not text:
                continue
            try:
                value = _decoder.decode(text)
                if not isinstance(value, dict):
                    table.broken(Broken("data_broken_object", lines.number, text[:200]))
                    continue
                _add(table, value, lines.number)
            except (TooDeep, RecursionError):
                table.broken(Broken("data_broken_deep", lines.number, text[:200], {"limit": limits.DEPTH}))
            except ValueError as error:
                reason = getattr(error, "msg", str(error))
                table.broken(Broken("data_broken_json", lines.number, text[:200], {"reason": reason}))


def read_document(path: Path, encoding: str, name: str, table: Table) -> None:
    """A JSON document: a list of objects, an object that holds one, or an object of equally long columns.

    Raises UserError (`data_json_large`, `data_json_broken`, `data_json_deep`).
    """
    size = path.stat().st_size
    if size > limits.JSON_BYTES:
        raise UserError("data_json_large", name=name, size=round(size / 1e6, 1), limit=limits.JSON_BYTES // 10**6)
    text = path.read_text(encoding, "replace").lstrip("\ufeff")
    try:
        rows = _rows(_decoder.decode(text.strip()))
    except RecursionError:
        raise UserError("data_json_deep", name=name, limit=limits.DEPTH) from None
    except json.JSONDecodeError as error:
        raise UserError("data_json_broken", name=name, line=error.lineno, reason=error.msg) from None
    except ValueError as error:
        raise UserError("data_json_broken", name=name, line="-", reason=str(error)) from None
    del text
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            table.broken(Broken("data_broken_object", number, str(row)[:200]))
            continue
        try:
            _add(table, row, number)
        except (TooDeep, RecursionError):
            table.broken(Broken("data_broken_deep", number, "", {"limit": limits.DEPTH}))


def _add(table: Table, value: dict[str, Any], number: int) -> None:
    """An object as a row, or as one a question where it holds paragraphs with their questions."""
    for row in squad.rows(value) if squad.is_nested(value) else [value]:
        if row is None:
            table.broken(Broken("data_broken_question", number, str(value.get("title") or "")[:200]))
        else:
            table.add_object({str(key): cell(part) for key, part in row.items()})


def cell(value: Any) -> str | None:
    """A JSON value as the text of a cell: strings as they are, null as null, the rest as it was written."""
    if value is None or isinstance(value, str):
        return _whole_characters(value) if value else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (_Whole, _Real)):
        return value.written
    if _depth(value) > limits.DEPTH:
        raise TooDeep
    return _whole_characters(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _whole_characters(text: str) -> str:
    """Half a surrogate pair ("\\ud83d" alone) cannot be stored; it becomes U+FFFD, which is counted and told."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _depth(value: Any) -> int:
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        part, level = waiting.pop()
        deepest = max(deepest, level)
        if deepest > limits.DEPTH:
            return deepest
        inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        waiting += [(child, level + 1) for child in inside if isinstance(child, (dict, list))]
    return deepest


def _rows(value: list[Any] | dict[str, Any]) -> list[Any]:
    """The rows that a document holds; what was taken for JSON starts with a bracket or a brace, so it is no scalar."""
    if isinstance(value, list):
        return value
    if squad.is_nested(value):
        return [value]
    tables: list[list[Any]] = [part for key, part in value.items() if _is_table(part) and key not in CHAT_KEYS]
    if tables:
        return max(tables, key=len)
    columns = list(value.values())
    if len(columns) > 1 and all(isinstance(part, list) for part in columns) and len({len(p) for p in columns}) == 1:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if columns and all(isinstance(part, dict) for part in columns):
        # pandas writes {"column": {"0": cell, ...}} by default, and {"0": {"column": cell}} for orient="index".
        if all(set(part) == set(columns[0]) for part in columns) and "0" in columns[0]:
            return [{name: part[row] for name, part in value.items()} for row in columns[0]]
        return columns
    return [value]


def _is_table(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(row, dict) for row in part[:20])
