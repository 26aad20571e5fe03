"""Annotations that a file keeps in a form for machines, brought into cells that a person can read.

Tokens with their tags become a text and its entities, exports of Label Studio the same. What cannot be brought into
that form stays as it was, and the check names the row.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from studio.data import limits
from studio.data.conll import as_cells, repaired_note
from studio.data.spans import TAG_KEYS, TOKEN_KEYS
from studio.data.tags import from_numbers, is_outside, scheme_of
from studio.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE = 200
_ALIKE = 0.8
"""Share of the sampled rows that have to be of a form."""
_EXAMPLES = 5
Cells = list["str | None"]


def readable(table: pa.Table) -> tuple[pa.Table, list[Problem]]:
    """The table with such columns replaced, and what was found on the way; any other table as it is."""
    for bring in (_tokens, _label_studio):
        found = bring(table)
        if found is not None:
            return found
    return table, []


def _tokens(table: pa.Table) -> tuple[pa.Table, list[Problem]] | None:
    """A column of lists of tokens and one of as many tags."""
    sample = {name: _sampled(table, name, _listed) for name in table.column_names}
    lists = {name: rows for name, rows in sample.items() if rows is not None}
    words = [name for name, rows in lists.items() if _plain(name) in TOKEN_KEYS and _of(rows, str)]
    tags = [
        name
        for name, rows in lists.items()
        if name not in words and (_of(rows, str) or _of(rows, int)) and _tag_rank(name, rows) is not None
    ]
    pairs = [(one, other) for one in words for other in tags if _as_long(lists[one], lists[other])]
    if not pairs:
        return None
    token, tag = min(pairs, key=lambda pair: _tag_rank(pair[1], lists[pair[1]]) or 0)
    tokens = [_listed(cell) for cell in table.column(token).to_pylist()]
    given = [_listed(cell) for cell in table.column(tag).to_pylist()]
    notes: list[Problem] = []
    if _of(lists[tag], int):
        given = _numbered(given)
        kinds = len({name.partition("-")[2] or name for row in given if row for name in row if not is_outside(name)})
        notes.append(Problem("tags_numbers", "note", "data", kinds, values={"column": tag}))
    cells, mended, count = _tagged(tokens, given)
    if mended:
        notes.append(repaired_note(count, mended))
    made = _replaced(table, token, "text", [text for text, _ in cells])
    return _replaced(made, tag, "entities", [cell for _, cell in cells]), notes


def _tagged(
    tokens: Sequence[list[Any] | None], tags: Sequence[list[Any] | None]
) -> tuple[list[tuple[str | None, str | None]], list[tuple[int, str]], int]:
    """(text, cell) a row, the first rows with tags that were mended, and how many tags were."""
    scheme = scheme_of({str(tag) for row in tags if row for tag in row})
    cells: list[tuple[str | None, str | None]] = []
    mended: list[tuple[int, str]] = []
    count = 0
    for number, (words, marks) in enumerate(zip(tokens, tags, strict=True), 1):
        if words is None or marks is None:
            cells.append((None, None))
            continue
        text, cell, repaired = as_cells([str(word) for word in words], [str(mark) for mark in marks], scheme)
        cells.append((text or None, cell))
        count += repaired
        if repaired and len(mended) < _EXAMPLES:
            mended.append((number, text[:200]))
    return cells, mended, count


def _numbered(rows: list[list[Any] | None]) -> list[list[Any] | None]:
    whole = [row if row is not None and all(isinstance(one, int) for one in row) else [] for row in rows]
    named = from_numbers(whole)
    return [row if row is None or whole[place] != row else list(named[place]) for place, row in enumerate(rows)]


def _tag_rank(name: str, rows: Sequence[list[Any]]) -> int | None:
    """How likely a column of lists holds the tags of entities, the smaller the likelier; None: it does not."""
    plain = _plain(name)
    if plain not in TAG_KEYS and "tag" not in plain and "label" not in plain:
        return None
    marked = _of(rows, str) and scheme_of({tag for row in rows for tag in row}).marked
    outside = any(is_outside(str(tag)) for row in rows for tag in row)
    if not outside:
        return None  # parts of speech: every token has one
    return (0 if "ner" in plain or "entit" in plain else 2 if "pos" in plain or "chunk" in plain else 1) - marked


def _label_studio(table: pa.Table) -> tuple[pa.Table, list[Problem]] | None:
    """An export of Label Studio: `data` with the text, `annotations` with the regions of each annotator."""
    names = set(table.column_names)
    key = next((name for name in ("annotations", "completions") if name in names), None)
    if key is None or "data" not in names:
        return None
    regions = _sampled(table, key, _regions)
    if regions is None or not any(regions):
        return None
    texts = [_said(cell) for cell in table.column("data").to_pylist()]
    found = [_regions(cell) for cell in table.column(key).to_pylist()]
    made = _replaced(table, "data", "text", texts)
    entities = [None if row is None else json.dumps(row, ensure_ascii=False) for row in found]
    return _replaced(made, key, "entities", entities), []


def _regions(cell: str | None) -> list[Any] | None:
    """The regions with labels of the first annotator who did not give up; None where nobody annotated."""
    value = _json(cell)
    if not isinstance(value, list):
        return None
    for annotation in value:
        result = annotation.get("result") if isinstance(annotation, dict) else None
        if isinstance(result, list) and not annotation.get("was_cancelled"):
            marks = [one["value"] for one in result if isinstance(one, dict) and isinstance(one.get("value"), dict)]
            return [
                {
                    "text": mark.get("text"),
                    "type": str(mark["labels"][0]),
                    "start": mark.get("start"),
                    "end": mark.get("end"),
                }
                for mark in marks
                if isinstance(mark.get("labels"), list) and mark["labels"]
            ]
    return None


def _said(cell: str | None) -> str | None:
    value = _json(cell)
    texts = [part for part in value.values() if isinstance(part, str)] if isinstance(value, dict) else []
    named = value.get("text") if isinstance(value, dict) else None
    return named if isinstance(named, str) else max(texts, key=len, default=None)


def _sampled(table: pa.Table, name: str, read: Callable[[str | None], list[Any] | None]) -> list[list[Any]] | None:
    """What `read` makes of the first filled cells of a column; None where too few of them are of that form."""
    filled = [cell for cell in table.column(name).slice(0, 4 * _SAMPLE).to_pylist() if cell][:_SAMPLE]
    found = [value for cell in filled if (value := read(cell)) is not None]
    return found if found and len(found) >= _ALIKE * len(filled) else None


def _listed(cell: str | None) -> list[Any] | None:
    """The list in a cell: JSON, or as Python writes it; None for anything else."""
    if cell is None or not cell.lstrip().startswith("[") or len(cell) > limits.CELL_CHARACTERS:
        return None
    value = _json(cell)
    if value is None and "'" in cell:
        try:
            value = ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return value if isinstance(value, list) else None


def _json(cell: str | None) -> Any:
    try:
        return json.loads(cell or "")
    except (ValueError, RecursionError):
        return None


def _of(rows: Sequence[list[Any]], kind: type) -> bool:
    """Whether the lists hold nothing but `kind`, and something at all."""
    return any(rows) and all(isinstance(one, kind) and not isinstance(one, bool) for row in rows for one in row)


def _as_long(first: Sequence[list[Any]], second: Sequence[list[Any]]) -> bool:
    """Whether most rows have as many of one as of the other: rows that do not are a fault to be told."""
    same = sum(len(one) == len(other) for one, other in zip(first, second, strict=False))
    return same >= _ALIKE * min(len(first), len(second))


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _replaced(table: pa.Table, column: str, name: str, cells: Cells) -> pa.Table:
    """The table with `cells`, called `name` where that is free, in the place of `column`."""
    import pyarrow as pa

    place = table.column_names.index(column)
    free, turn = name, 1
    while free in table.column_names and free != column:
        turn += 1
        free = f"{name}_{turn}"
    return table.set_column(place, free, pa.array(cells, pa.large_string()))
