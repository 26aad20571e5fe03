"""Pages of a version's rows: searched, filtered, sorted, some rows at a time.

The engine is Polars, streaming over Parquet: of the two that do this it reads what pyarrow wrote without a copy, is
the one the steps are written in, compares text letter case aside in every script, and answers within the limits of
`tests/benchmarks/data.py` in less memory than the rows take; DuckDB was as fast, but ran out of memory in deep sorts
and downloads its encodings and its search. Ask through `studio.data.queries` where memory matters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.store import DataVersion
from studio.errors import UserError

if TYPE_CHECKING:
    import polars as pl

PAGE = 200
"""Most rows a page may have."""
_SEARCH_CHARACTERS = 200
_SORTED_CHARACTERS = 100
"""Characters by which texts are put in order."""
_BEST = 10_000
"""Rows up to which the first ones are picked out instead of all being put in order."""
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class View:
    """Which rows are wanted and in which order. `search`: rows with a cell that contains it, letter case aside, as
    plain text; `column` and `value`: rows with exactly this cell; `sort`: a column, `falling` from the largest on.
    Blank cells come last."""

    search: str = ""
    column: str = ""
    value: str = ""
    sort: str = ""
    falling: bool = False
    rows: tuple[int, ...] = ()
    """Only these, by their places from 0; all where none is named."""

    @property
    def wanted(self) -> str:
        return self.search[:_SEARCH_CHARACTERS].strip()

    @property
    def whole(self) -> bool:
        """Whether every row is wanted."""
        return not self.wanted and not self.column and not self.rows


def page(version: DataVersion, offset: int = 0, limit: int = 50, view: View | None = None) -> tuple[Rows, bool]:
    """(rows from `offset` on, whether more follow). A row is {"row": its place from 0, "cells": {column: text|None}}.

    Where a search is short of hits all rows are looked at, else only as many as are needed. Raises UserError
    (`step_column_unknown`) for a column that there is not.
    """

    view = view or View()
    offset, limit = max(0, offset), min(max(1, limit), PAGE)
    scan, place = _scan(version, view)
    if view.sort:
        keys = [_key(version, view.sort).alias("key"), place]
        most, by, chosen = offset + limit + 1, ["key", place], scan.select(keys)
        if most <= _BEST:
            pick = chosen.top_k if view.falling else chosen.bottom_k
            chosen = pick(most, by=by, reverse=[False, view.falling])
        chosen = chosen.sort(by, descending=[view.falling, False], nulls_last=True)
        places = chosen.select(place).slice(offset, limit + 1).collect(engine="streaming").get_column(place).to_list()
    elif view.whole:
        places = list(range(offset, min(offset + limit + 1, version.rows)))
    else:
        frame = scan.select(place).slice(offset, limit + 1).collect(engine="streaming")
        places = frame.get_column(place).to_list()
    cells = _cells(version, places[:limit])
    return [{"row": row, "cells": one} for row, one in zip(places, cells, strict=False)], len(places) > limit


def _cells(version: DataVersion, places: list[int]) -> Rows:
    """Rows by their places, in that order; a slice of neighbours reads no more of the file than it needs."""
    import polars as pl

    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([place, 1])
    scan = pl.scan_parquet(version.rows_path, glob=False)
    return pl.concat([scan.slice(*run) for run in runs]).collect(engine="streaming").to_dicts() if runs else []


def count(version: DataVersion, view: View) -> int:
    """How many rows a view has."""
    import polars as pl

    if view.whole:
        return version.rows
    scan, _ = _scan(version, view)
    return int(scan.select(pl.len()).collect(engine="streaming").item())


def _scan(version: DataVersion, view: View) -> tuple[pl.LazyFrame, str]:
    """The wanted rows, and the name of the column that holds their places."""
    import polars as pl

    for column in (view.column, view.sort):
        if column and column not in version.columns:
            raise UserError("step_column_unknown", column=column[:80], known=list(version.columns)[:30])
    names = (f"place_{turn}" for turn in range(len(version.columns) + 2))
    place = next(name for name in names if name not in (*version.columns, "key"))
    scan = pl.scan_parquet(version.rows_path, glob=False).with_row_index(place)
    if view.rows:
        scan = scan.filter(pl.col(place).is_in(list(view.rows)))
    if view.column:
        cell = pl.col(view.column)
        scan = scan.filter(cell == view.value if view.value else cell.is_null() | (cell == ""))
    if view.wanted:
        pattern = "(?i)" + _SPECIAL.sub(r"\\\g<0>", view.wanted)
        holds = [pl.col(name).str.contains(pattern) for name in version.columns]
        scan = scan.filter(pl.any_horizontal(holds).fill_null(False))
    return scan, place


def _key(version: DataVersion, column: str) -> pl.Expr:
    """What a column is ordered by: numbers as numbers, texts by their beginning."""
    import polars as pl

    kind = next((one["kind"] for one in version.profile()["columns"] if one["name"] == column), "text")
    cell, numbers = pl.col(column), ("number", "label")
    shown = [value for one in version.profile()["columns"] if one["name"] == column for value, _ in one["top"]]
    if kind == "number" or (kind in numbers and shown and all(_number(value) for value in shown)):
        return cell.str.strip_chars().cast(pl.Float64, strict=False)
    blank = cell.str.contains(r"^\s*$")
    return pl.when(~blank).then(cell.str.head(_SORTED_CHARACTERS))


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
