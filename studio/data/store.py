"""Data versions as they lie in the workspace: found, opened, read by role. Versions never change.

A version is a folder <owner>/data/<version>/ with rows.parquet (all columns text), profile.json and source.json.
Its id is drawn from the content and its owner: nobody learns what others have, and no two people share an id.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import rights
from studio.errors import UserError
from studio.workspace import Workspace, checked_id

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 4_096
"""Rows in memory at once where all are looked at."""
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
    root: str = ""
    """The version that was brought in and that `steps` were run over, or "" for one that was brought in."""
    origin: dict[str, Any] = field(default_factory=dict, compare=False)
    """Where what was brought in came from, when that is not a file: {"kind": "hub" or "run", "id", ...}."""
    parent: str = ""
    """The version it was made from."""
    steps: tuple[dict[str, Any], ...] = field(default=(), compare=False)
    """The steps run over the root, in their order: {"step", "options", "rows", "changed", "dropped", "added"}."""

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
    found = load_version(workspace.data(owner, version))
    if found is None:
        raise UserError("data_unknown", version=version)
    return found


def list_versions(workspace: Workspace, who: str | None = None) -> list[DataVersion]:
    """All versions that `who` may see, newest first; half-written folders are passed over."""
    folders = [folder for folder in workspace.home.glob("*/data/d-*") if folder.is_dir() and _seen(folder, who)]
    found = [load_version(folder) for folder in folders]
    return sorted((one for one in found if one), key=lambda one: (-one.created, one.version))


def find_version(workspace: Workspace, version: str, who: str | None = None) -> DataVersion:
    """The version of that id, of anybody whose data `who` may see. Raises UserError (`data_unknown`, `bad_id`)."""
    folders = [folder for folder in workspace.home.glob(f"*/data/{checked_id(version)}") if _seen(folder, who)]
    # Ids were once drawn from the content alone, so in an old workspace two people may have the same: theirs first.
    for folder in sorted(folders, key=lambda folder: (_owner(folder) != who, folder)):
        found = load_version(folder)
        if found is not None:
            return found
    raise UserError("data_unknown", version=version)


def _owner(folder: Path) -> str:
    return folder.parent.parent.name


def _seen(folder: Path, who: str | None) -> bool:
    return rights.may_see(who, _owner(folder))


def load_version(folder: Path) -> DataVersion | None:
    """The version in a folder, or None where it is not whole."""
    if not all((folder / name).is_file() for name in _FILES):
        return None
    source = json.loads((folder / "source.json").read_text("utf-8"))
    return DataVersion(
        version=folder.name,
        owner=_owner(folder),
        name=source["name"],
        rows=source["rows"],
        columns=tuple(source["columns"]),
        created=source["created"],
        folder=folder,
        sample=source.get("sample", ""),
        root=source.get("root", ""),
        origin=source.get("origin", {}),
        parent=source.get("parent", ""),
        steps=tuple(source.get("steps", ())),
    )


def read_rows(
    version: DataVersion, columns: Mapping[str, str], rows: Iterable[int] | None = None
) -> list[dict[str, str | None]]:
    """Rows as role -> text, for `columns` (role -> column), all of them or those of the given places (from 0).

    Raises UserError (`data_column_unknown`). Plain Arrow without threads: processes that fork call it too.
    """
    return read_parquet_rows(version.rows_path, columns, rows)


def each_row(version: DataVersion, columns: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    """All rows as `read_rows` gives them, one after the other: of a million only some thousand are in memory."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(version.rows_path) as file:
        used = _known(columns, file)
        for batch in file.iter_batches(_BATCH, columns=sorted(set(used.values())), use_threads=False):
            yield from _by_role(batch, used)


def read_column(version: DataVersion, column: str) -> pa.ChunkedArray:
    """One column as Arrow, for counting without a Python object a cell. Raises UserError (`data_column_unknown`)."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(version.rows_path) as file:
        used = _known({column: column}, file)
        return file.read(columns=list(used), use_threads=False).column(column)


def read_parquet_rows(
    path: Path, columns: Mapping[str, str], rows: Iterable[int] | None = None
) -> list[dict[str, str | None]]:
    """`read_rows` for a rows.parquet by path. Of the file only the row groups that hold the rows are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        used = _known(columns, file)
        names = sorted(set(used.values()))
        if rows is None:
            return _by_role(file.read(columns=names, use_threads=False), used)
        places = list(rows)
        # One group after the other: rows spread over a large file lie in all of its groups.
        taken = [
            file.read_row_group(group, columns=names, use_threads=False).take(pa.array(there, pa.int64()))
            for group, there in _groups_of(file, places)
        ]
    found = _by_role(pa.concat_tables(taken), used) if taken else []
    # The rows were read in the order of the file; two that are asked for twice lie next to one another.
    turns = sorted(range(len(places)), key=places.__getitem__)
    return [row for _, row in sorted(zip(turns, found, strict=True), key=lambda pair: pair[0])]


def _known(columns: Mapping[str, str], file: pq.ParquetFile) -> dict[str, str]:
    """The chosen columns by role. Raises UserError (`data_column_unknown`)."""
    used = {role: column for role, column in columns.items() if column}
    known = file.schema_arrow.names
    for role, column in used.items():
        if column not in known:
            raise UserError("data_column_unknown", column=column, role=role, known=known)
    return used


def _groups_of(file: pq.ParquetFile, places: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The row groups that hold these rows, rising, each with where in it they are, rising as well."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = list(accumulate(sizes, initial=0))
    if places and not 0 <= min(places) <= max(places) < starts[-1]:
        raise IndexError(f"rows {min(places)} to {max(places)} of {starts[-1]}")
    held: dict[int, list[int]] = {}
    for place in sorted(places):
        group = bisect_right(starts, place) - 1
        held.setdefault(group, []).append(place - starts[group])
    return list(held.items())


def _by_role(table: pa.Table | pa.RecordBatch, used: Mapping[str, str]) -> list[dict[str, str | None]]:
    cells: Sequence[Sequence[str | None]] = [table.column(column).to_pylist() for column in used.values()]
    return [dict(zip(used, row, strict=True)) for row in zip(*cells, strict=True)]
