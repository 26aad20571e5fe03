"""Runs steps over a version's rows: batch after batch from Parquet to Parquet, so that memory does not grow with rows.

Beside rows.parquet lies origins.parquet with one whole number a row: the row's place in the file that was brought in.
What a step changed is counted here, by comparing what went in with what came out, and shown by a few examples.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import PLACE, Frames, Layout, Step, steps
from studio.errors import UserError
from studio.options import read_options

if TYPE_CHECKING:
    import polars as pl
    import pyarrow.parquet as pq

BATCH = 20_000
"""Rows in memory at once, and rows of a row group."""
ROWS, ORIGINS = "rows.parquet", "origins.parquet"
EXAMPLES = 8
_SNIFFED = 200
_WINDOW = 160
"""Characters of an example, around what changed."""
Emit = Callable[[int, int], None]


@dataclass(frozen=True)
class Chosen:
    """A step as somebody asked for it: its key, and its options as JSON."""

    key: str
    options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"step": self.key, "options": self.options}

    @staticmethod
    def from_json(raw: Any) -> Chosen:
        """Raises UserError (`step_unreadable`, `unknown_key`, `step_options`) for what is no step."""
        if not isinstance(raw, dict) or not isinstance(raw.get("options", {}), dict):
            raise UserError("step_unreadable", seen=str(raw)[:80])
        chosen = Chosen(str(raw.get("step", "")), dict(raw.get("options", {})))
        chosen.read()
        return chosen

    def read(self) -> tuple[Step, Any]:
        """The step and its typed options. Raises UserError (`unknown_key`, `step_options`)."""
        step = steps.get(self.key)
        options, problems = read_options(step.Options, "step", self.options)
        if problems:
            told = [(f"problem.{problem.code}", problem.values) for problem in problems]
            raise UserError("step_options", step_code=f"step.{step.key}.title", problems_codes=told)
        return step, options


@dataclass
class Outcome:
    """What a step did. `changed` counts rows with another cell, `dropped` rows that went, `added` rows that stand more
    often. An example is {"row": number from 1 in the file, "column", "before", "after"}; of a dropped row `after` is
    None."""

    rows: int = 0
    changed: int = 0
    dropped: int = 0
    added: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "changed": self.changed, "dropped": self.dropped, "added": self.added}


@dataclass(frozen=True)
class Source:
    """Rows on the disk: a folder with rows.parquet and, unless they are the file's own, origins.parquet."""

    folder: Path

    def rows(self) -> int:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(self.folder / ROWS).num_rows)

    def columns(self) -> tuple[str, ...]:
        import pyarrow.parquet as pq

        return tuple(pq.read_schema(self.folder / ROWS).names)

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Batches of all rows with PLACE beside the chosen columns (None: all)."""
        import polars as pl
        import pyarrow.parquet as pq

        start = 0
        with pq.ParquetFile(self.folder / ROWS) as file:
            for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
                frame = pl.DataFrame(pl.from_arrow(batch))
                place = pl.int_range(start, start + batch.num_rows, eager=True, dtype=pl.Int64).alias(PLACE)
                yield frame.with_columns(place)
                start += batch.num_rows

    def origins(self) -> Any:
        """Each row's place (from 0) in the file it came from, as a NumPy array of int64."""
        import numpy as np
        import pyarrow.parquet as pq

        path = self.folder / ORIGINS
        if not path.is_file():
            return np.arange(self.rows(), dtype=np.int64)
        return pq.read_table(path, use_threads=False).column("row").to_numpy()


def layout_of(source: Source, kinds: dict[str, str]) -> Layout:
    """What steps have to know of the columns. `kinds` are the profile's; a column it does not know is prose."""
    columns = source.columns()
    head = next(source.frames(), None)
    structured, anchored = set(), ""
    for column in columns:
        cells = (
            [] if head is None else [cell for cell in head.get_column(column).head(_SNIFFED) if (cell or "").strip()]
        )
        values = [value for cell in islice(cells, _SNIFFED) if (value := _json(cell)) is not None]
        if kinds.get(column) == "chat" or (cells and len(values) > 0.8 * len(cells)):
            structured.add(column)
            if any(_counts_characters(value) for value in values):
                anchored = anchored or column
    texts = tuple(name for name in columns if kinds.get(name, "text") == "text" and name not in structured)
    return Layout(columns, texts, frozenset(structured), anchored)


def _json(cell: str) -> Any:
    """The list or object a cell holds, or None."""
    if not cell.lstrip().startswith(("[", "{")):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (list, dict)) else None


def _counts_characters(value: Any) -> bool:
    """Whether JSON looks like spans: objects with a start, or lists that begin with two whole numbers."""
    if isinstance(value, dict):
        if any(key in value for key in ("start", "answer_start", "start_offset")):
            return True
        value = list(value.values())
    if not isinstance(value, list):
        return False
    numbers = [item for item in value[:2] if isinstance(item, int) and not isinstance(item, bool)]
    return len(numbers) == 2 or any(_counts_characters(item) for item in value[:20] if isinstance(item, (list, dict)))


def run_step(source: Source, chosen: Chosen, kinds: dict[str, str], target: Path | None, emit: Emit) -> Outcome:
    """Run one step over all rows and write the outcome into `target` (exists; None: nothing is kept, as for a preview).

    `emit(done, total)` hears rows. Raises UserError for options that do not fit, and `step_no_rows` when no row is
    left.
    """
    step, options = chosen.read()
    origins = source.origins()
    layout = dataclasses.replace(layout_of(source, kinds), origins=origins)
    step.check(options, layout)
    outcome, total = Outcome(), source.rows()
    looking = step.surveyed

    def looked(share: float) -> None:
        emit(int(total * looking * share), total)

    found = step.survey(Frames(source.frames, total, looked), options, layout)
    writer = None if target is None else Writer(target)
    try:
        for frame in source.frames():
            after = step.apply(frame, options, layout, found)
            _compare(frame, after, outcome, origins, layout)
            if writer is not None:
                writer.add(after, origins)
            done = int(frame.get_column(PLACE)[-1]) + 1
            emit(int(looking * total + (1 - looking) * done), total)
        if not outcome.rows:
            raise UserError("step_no_rows", step_code=f"step.{step.key}.title", rows=total)
    finally:
        if writer is not None:
            writer.close()
    return outcome


class Writer:
    """Writes batches as rows.parquet and origins.parquet, in row groups of BATCH rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: list[pl.DataFrame] = []
        self._height = 0
        self._files: tuple[pq.ParquetWriter, pq.ParquetWriter] | None = None

    def add(self, frame: pl.DataFrame, origins: Any) -> None:
        import polars as pl

        if frame.height:
            rows = pl.Series(PLACE, origins[frame.get_column(PLACE).to_numpy()])
            self._pending.append(frame.with_columns(rows))
            self._height += frame.height
        if self._height >= BATCH:
            self._flush()

    def _flush(self) -> None:
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        frame = pl.concat(self._pending)
        self._pending, self._height = [], 0
        origins = pa.table({"row": frame.get_column(PLACE).to_numpy()})
        table = frame.drop(PLACE).to_arrow(compat_level=pl.CompatLevel.oldest())
        table = table.cast(pa.schema([(name, pa.large_string()) for name in table.schema.names]))
        if self._files is None:
            made = {"compression": "zstd", "compression_level": 1}
            self._files = (
                pq.ParquetWriter(self._folder / ROWS, table.schema, **made),
                pq.ParquetWriter(self._folder / ORIGINS, origins.schema, **made),
            )
        self._files[0].write_table(table, row_group_size=BATCH)
        self._files[1].write_table(origins, row_group_size=BATCH)

    def close(self) -> None:
        if self._pending:
            self._flush()
        for file in self._files or ():
            file.close()


def _compare(before: pl.DataFrame, after: pl.DataFrame, outcome: Outcome, origins: Any, layout: Layout) -> None:
    """Count what a step did to a batch, and keep the first few examples."""
    import polars as pl

    outcome.rows += after.height
    kept = after.get_column(PLACE)
    once = kept.n_unique()
    outcome.dropped += before.height - once
    outcome.added += after.height - once
    if once < before.height and len(outcome.examples) < EXAMPLES:
        shown = layout.texts[0] if layout.texts else layout.columns[0]
        gone = before.filter(~pl.col(PLACE).is_in(kept.implode())).head(EXAMPLES - len(outcome.examples))
        for place, text in gone.select(PLACE, shown).iter_rows():
            told = {"row": int(origins[place]) + 1, "column": shown, "before": (text or "")[:_WINDOW], "after": None}
            outcome.examples.append(told)
    first = after if once == after.height else after.unique(PLACE, keep="first", maintain_order=True)
    old = before if once == before.height else before.filter(pl.col(PLACE).is_in(kept.implode()))
    changed = pl.Series([False] * first.height, dtype=pl.Boolean)
    for column in first.columns:
        if column == PLACE:
            continue
        new = first.get_column(column)
        was = old.get_column(column) if column in old.columns else pl.Series([None] * first.height, dtype=pl.String)
        differs = new.ne_missing(was)
        changed = changed | differs
        for spot in differs.arg_true().head(max(0, EXAMPLES - len(outcome.examples))).to_list():
            row = int(origins[first.get_column(PLACE)[spot]]) + 1
            outcome.examples.append({"row": row, "column": column, **_window(was[spot] or "", new[spot] or "")})
    outcome.changed += int(changed.sum())


def _window(before: str, after: str) -> dict[str, str]:
    """Both texts around the first place where they differ."""
    same = next(
        (place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = 0 if same < _WINDOW // 2 else same - 40
    head = "…" if start else ""
    return {"before": head + before[start : start + _WINDOW], "after": head + after[start : start + _WINDOW]}
