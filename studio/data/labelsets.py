"""Several labels in one cell, in the forms people write them: `a;b`, `a|b`, a JSON (or Python) list; and one column of
0 and 1 a label, which the reader joins into a column of lists."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

JOINED = "labels"
"""The name of the column made from columns of 0 and 1."""
NOTHING = "∅"
"""A row that has none of the labels, as text."""
MARKS = ";|；"
_SPLIT = re.compile(f"[{MARKS}]")
_FEWEST = 3
"""Columns of 0 and 1 from which on they are taken for labels; one or two may be anything."""
_YES, _NO = frozenset(("1", "1.0", "true")), frozenset(("0", "0.0", "false"))
_LONGEST, _MOST = 60, 30


def parse(cell: str) -> list[str]:
    """The labels of a cell, each once, in their order. Raises ValueError for a list that is not closed or holds what is
    no label."""
    text = cell.strip()
    if text.startswith("["):
        return _each_once(_listed(text))
    if text in ("", NOTHING):
        return []
    return _each_once(_SPLIT.split(text))


def _listed(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = ast.literal_eval(text)  # pandas writes lists as Python does
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError("not a list") from error
    if not isinstance(found, list) or not all(isinstance(one, str | int) for one in found):
        raise ValueError("not a list of labels")
    return [str(one) for one in found]


def _each_once(labels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(label.strip() for label in labels if label.strip()))


def written(labels: Sequence[str]) -> str:
    """The labels as one text."""
    return "; ".join(labels) or NOTHING


def are_lists(column: Mapping[str, Any]) -> bool:
    """Whether a column of a profile holds lists of short labels."""
    examples = [str(text) for text in column["examples"]]
    if not examples or not all(text.lstrip().startswith("[") for text in examples):
        return False
    try:
        lists = [_listed(text.strip()) for text in examples]
    except ValueError:
        return False
    # Tokens and tags of words are lists as well: long ones, and with repetitions.
    return all(len(one) <= _MOST and len(one) == len(set(one)) and max(map(len, one), default=0) <= _LONGEST
               for one in lists)  # fmt: skip


def join(table: pa.Table) -> tuple[pa.Table, Problem | None]:
    """The table with a further column of lists where it has at least three columns of nothing but 0 and 1, and a note
    of it; otherwise the table as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if table.num_rows < _FEWEST or JOINED in table.column_names:
        return table, None
    names = []
    for name in table.column_names:
        values = {str(one.as_py()).strip().lower() for one in pc.unique(table.column(name).slice(0, 1000))}
        if values <= _YES | _NO:
            whole = {str(one.as_py()).strip().lower() for one in pc.unique(table.column(name))}
            if whole <= _YES | _NO and whole & _YES:
                names.append(name)
    if len(names) < _FEWEST or len(names) == len(table.column_names):
        return table, None
    marks = [[str(one).strip().lower() in _YES for one in table.column(name).to_pylist()] for name in names]
    cells = [
        json.dumps([name for name, yes in zip(names, row, strict=True) if yes], ensure_ascii=False)
        for row in zip(*marks, strict=True)
    ]
    kind = table.schema.field(names[0]).type
    note = Problem("labels_joined", "note", "columns", len(names), values={"column": JOINED, "columns": names[:8]})
    return table.append_column(JOINED, pa.array(cells, kind)), note
