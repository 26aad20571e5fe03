"""Small tables for the workshop's tests: written as Parquet, mended in this process, read back as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.mending import ROWS, Chosen, Outcome, Source, run_step

Cells = dict[str, "list[str | None]"]


def source_of(folder: Path, cells: Cells) -> Source:
    """Columns as the rows of a version that was brought in."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(column, pa.large_string()) for name, column in cells.items()})
    pq.write_table(table, folder / ROWS, row_group_size=1000)
    return Source(folder)


def cells_of(source: Source) -> Cells:
    return pq.read_table(source.folder / ROWS).to_pydict()  # type: ignore[no-any-return]


def mended(
    folder: Path, cells: Cells, key: str, kinds: dict[str, str] | None = None, **options: Any
) -> tuple[Cells, list[int], Outcome]:
    """(columns after the step, each row's number from 1 in the file, what the step did)."""
    source = source_of(folder / "before", cells)
    made = folder / "after"
    made.mkdir(exist_ok=True)
    told = kinds or {name: "label" if name == "label" else "text" for name in cells}
    outcome = run_step(source, Chosen(key, options), told, made, lambda done, total: None)
    after = Source(made)
    return cells_of(after), (after.origins() + 1).tolist(), outcome
