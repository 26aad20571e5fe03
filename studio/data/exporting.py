"""A version as a file: CSV, JSON Lines or Parquet, written batch after batch.

In CSV a cell that a spreadsheet program would run as a formula gets an apostrophe before it, which such a program does
not show; plain numbers stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.mending import Source
from studio.data.steps.base import PLACE
from studio.data.store import DataVersion

if TYPE_CHECKING:
    import polars as pl

FORMS = ("csv", "jsonl", "parquet")
_FORMULA = r"^[\s]*[=+\-@\t\r]"
_NUMBER = r"^[+-]?\d+([.,]\d+)*%?$"
_PIECE = 2**20


def export(version: DataVersion, form: str) -> Iterator[bytes]:
    """The file in pieces. `form` is one of FORMS."""
    if form == "parquet":
        yield from _pieces(version)
        return
    first = True
    for frame in Source(version.folder).frames():
        rows = frame.drop(PLACE)
        if form == "jsonl":
            yield rows.write_ndjson().encode()
        else:
            # The mark tells spreadsheet programs that it is UTF-8; they would guess wrong for Chinese.
            yield (("\ufeff" if first else "") + _safe(rows).write_csv(include_header=first)).encode()
        first = False


def _pieces(version: DataVersion) -> Iterator[bytes]:
    with version.rows_path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _safe(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells and headers that no spreadsheet program takes for a formula."""
    import polars as pl

    def quoted(cell: pl.Expr) -> pl.Expr:
        runs = cell.str.contains(_FORMULA) & ~cell.str.contains(_NUMBER)
        return pl.when(runs).then(pl.concat_str(pl.lit("'"), cell)).otherwise(cell)

    frame = frame.with_columns(quoted(pl.col(name)).alias(name) for name in frame.columns)
    headers = pl.DataFrame({"name": frame.columns}).select(quoted(pl.col("name")).alias("name"))["name"].to_list()
    return frame.rename(dict(zip(frame.columns, headers, strict=True)))
