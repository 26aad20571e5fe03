"""Data versions as they lie in the workspace: found, opened, paged, searched, read by role. Versions never change.

A version is a folder <owner>/data/<version>/ with rows.parquet (all columns text), profile.json and source.json.
Its id is drawn from the content, inside the owner, so that nobody learns what others have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.workspace import Workspace, checked_id

PAGE = 200
"""Most rows a page may have."""
_SEARCH_CHARACTERS = 200
_FILES = ("rows.parquet", "profile.json", "source.json")


@dataclass(frozen=True)
class DataVersion:
    """One version of somebody's data. `created` is in seconds since the epoch, `columns` in the file's order."""

    version: str
    owner: str
    name: str
    rows: int
    columns: tuple[str, ...]
    created: float
    folder: Path
    sample: str = ""
    """Key of the sample it came from, or ""."""

    @property
    def rows_path(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def profile_path(self) -> Path:
        return self.folder / "profile.json"

    def profile(self) -> dict[str, Any]:
        """The profile (see `studio.data.profile`); the caller must not change it."""
        return _profile(str(self.profile_path))


@lru_cache(maxsize=32)
def _profile(path: str) -> dict[str, Any]:
    # Versions never change, so what was read once stays true.
    loaded: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    return loaded


def open_version(workspace: Workspace, owner: str, version: str) -> DataVersion:
    """The owner's version. Raises UserError (`data_unknown`, `bad_id`)."""
    found = _load(workspace.data(owner, version))
    if found is None:
        raise UserError("data_unknown", version=version)
    return found


def list_versions(workspace: Workspace) -> list[DataVersion]:
    """All versions of all owners, newest first; half-written folders are passed over."""
    found = [_load(folder) for folder in workspace.home.glob("*/data/d-*") if folder.is_dir()]
    return sorted((one for one in found if one), key=lambda one: (-one.created, one.version))


def find_version(workspace: Workspace, version: str) -> DataVersion:
    """The version of that id, whoever owns it. Raises UserError (`data_unknown`, `bad_id`)."""
    for folder in sorted(workspace.home.glob(f"*/data/{checked_id(version)}")):
        found = _load(folder)
        if found is not None:
            return found
    raise UserError("data_unknown", version=version)


def _load(folder: Path) -> DataVersion | None:
    if not all((folder / name).is_file() for name in _FILES):
        return None
    source = json.loads((folder / "source.json").read_text("utf-8"))
    return DataVersion(
        version=folder.name,
        owner=folder.parent.parent.name,
        name=source["name"],
        rows=source["rows"],
        columns=tuple(source["columns"]),
        created=source["created"],
        folder=folder,
        sample=source.get("sample", ""),
    )


def page(version: DataVersion, offset: int = 0, limit: int = 50, search: str = "") -> tuple[list[dict[str, Any]], int]:
    """(rows from `offset` on, how many there are). A row is {"row": its place from 0, "cells": {column: text|None}}.

    `search` keeps rows with a cell that contains it, letter case aside, as plain text: no pattern can hang it.
    """
    import polars as pl

    offset, limit = max(0, offset), min(max(1, limit), PAGE)
    wanted = search[:_SEARCH_CHARACTERS].strip().lower()
    place = next(
        name for name in (f"place_{turn}" for turn in range(len(version.columns) + 1)) if name not in version.columns
    )
    scan = pl.scan_parquet(version.rows_path, glob=False).with_row_index(place)
    if wanted:
        holds = [pl.col(name).str.to_lowercase().str.contains(wanted, literal=True) for name in version.columns]
        hits = scan.filter(pl.any_horizontal(holds).fill_null(False)).select(place).collect(engine="streaming")
        # Only the places of the hits are held; their cells are fetched for the page alone.
        total = hits.height
        found = scan.filter(pl.col(place).is_in(hits.get_column(place).slice(offset, limit).implode()))
    else:
        total = version.rows
        found = scan.slice(offset, limit)
    rows = found.collect(engine="streaming").sort(place).to_dicts()
    return [{"row": int(row.pop(place)), "cells": row} for row in rows], total


def read_rows(
    version: DataVersion, columns: Mapping[str, str], rows: Iterable[int] | None = None
) -> list[dict[str, str | None]]:
    """Rows as role -> text, for `columns` (role -> column), all of them or those of the given places (from 0).

    Raises UserError (`data_column_unknown`). Plain Arrow without threads: processes that fork call it too.
    """
    return read_parquet_rows(version.rows_path, columns, rows)


def read_parquet_rows(
    path: Path, columns: Mapping[str, str], rows: Iterable[int] | None = None
) -> list[dict[str, str | None]]:
    """`read_rows` for a rows.parquet by path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    used = {role: column for role, column in columns.items() if column}
    with pq.ParquetFile(path) as file:
        known = file.schema_arrow.names
        for role, column in used.items():
            if column not in known:
                raise UserError("data_column_unknown", column=column, role=role, known=known)
        table = file.read(columns=sorted(set(used.values())), use_threads=False)
    if rows is not None:
        table = table.take(pa.array(list(rows), pa.int64()))
    cells: Sequence[Sequence[str | None]] = [table.column(column).to_pylist() for column in used.values()]
    return [dict(zip(used, row, strict=True)) for row in zip(*cells, strict=True)]
