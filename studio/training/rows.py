"""The rows of a run: read from the data version's Parquet file, usable ones only, split once and for all attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from studio.data.split import CELL, divide
from studio.data.threads import Threads
from studio.errors import UserError
from studio.files import write_whole
from studio.hardware import Hardware
from studio.spec import Spec
from studio.tasks.base import Row, Rows, Task
from studio.tasks.earlier import EARLIER
from studio.training.measured import Measured
from studio.training.ranks import Ranks


@dataclass(frozen=True)
class Inputs:
    """What a run needs besides its spec: the data version's folder, the model's (None for simple models), the
    machine, what steps of this model cost here where that was measured, which of several processes this is, what
    steps of learning the language first cost, and the model whose words augmentation takes."""

    data: Path
    model: Path | None
    hardware: Hardware
    measured: Measured | None = None
    ranks: Ranks = field(default_factory=Ranks)
    language: Measured | None = None
    filler: Path | None = None


@dataclass(frozen=True)
class Table:
    """The usable rows of a data version by role, their places in the file, and their split (places in `rows`)."""

    rows: Rows
    numbers: Sequence[int]
    split: Mapping[str, Sequence[int]]

    def part(self, name: str) -> list[Row]:
        return [self.rows[place] for place in self.split[name]]

    def part_numbers(self, name: str) -> list[int]:
        return [self.numbers[place] for place in self.split[name]]


def read_table(run_dir: Path, spec: Spec, task: Task, data: Path) -> tuple[Table, int]:
    """The usable rows and their split, which is kept in split.json; and how many rows had to be left out.

    Raises UserError (`rows_unusable`, `split_too_small`, `data_gone`).
    """
    import pyarrow.parquet as parquet
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    file = data / "rows.parquet"
    if not file.is_file():
        raise UserError("data_gone", data=spec.data)
    columns = {role: name for role, name in spec.columns.items() if name}
    known = parquet.read_schema(file).names
    by = spec.split.column
    for role, name in [*columns.items(), *([("split", by)] if by else [])]:
        if name not in known:
            raise UserError("data_column_unknown", column=name, role=role, known=known)
    wanted = list(dict.fromkeys([*columns.values(), *([by] if by else [])]))
    loaded = Dataset.from_parquet(str(file), columns=wanted, cache_dir=str(run_dir / "cache"))
    stored = {name: loaded[name][:] for name in wanted}
    every = [{role: stored[name][number] for role, name in columns.items()} for number in range(len(loaded))]
    numbers = [number for number, row in enumerate(every) if task.usable(row)]
    rows: list[Row] = [every[number] for number in numbers]
    if not rows:
        raise UserError("rows_unusable", rows=len(every))
    # The column that splits is no part of the rows: no model may see it.
    split = _split(run_dir, spec, task, rows, numbers, [stored[by][number] for number in numbers] if by else None)
    rows = _read(spec, task, rows, numbers, {role: stored[name] for role, name in columns.items()})
    for name in ("train", "validation", "test"):
        if not split[name]:
            raise UserError("split_too_small", part=name, rows=len(rows))
    return Table(rows, numbers, split), len(every) - len(rows)


def _read(
    spec: Spec, task: Task, rows: Rows, numbers: Sequence[int], cells: Mapping[str, Sequence[str | None]]
) -> list[Row]:
    """The rows as models see them: without what only says which belong together, with the earlier texts of their
    conversation where the run reads them, those of unusable rows included."""
    beside = {role.key for role in task.grouping}
    plain: list[Row] = [{role: text for role, text in row.items() if role not in beside} for row in rows]
    most = int(spec.options.get("task", {}).get("context", 0))
    if not most or "thread" not in cells:
        return plain
    threads = Threads(cells["thread"], cells.get("turn"))
    texts = cells["text"]
    return [
        {**row, EARLIER: threads.before(number, texts.__getitem__, most)}
        for number, row in zip(numbers, plain, strict=True)
    ]


def scored_places(places: Sequence[int], task: Task, seed: int) -> list[int]:
    """At most so many validation rows that scoring them stays cheap; the same ones every time, for every model."""
    most = task.kind.validation_rows
    if len(places) <= most:
        return list(places)
    drawn = np.random.default_rng([seed, 7]).choice(len(places), most, replace=False)
    return [places[int(number)] for number in np.sort(drawn)]


def _split(
    run_dir: Path, spec: Spec, task: Task, rows: Rows, numbers: Sequence[int], cells: Sequence[str | None] | None
) -> dict[str, list[int]]:
    """The split of an earlier attempt, or a new one: every attempt and the report use the same rows.

    split.json holds the rows' places in the file, so that it can be read without knowing which were usable.
    """
    kept = run_dir / "split.json"
    if kept.is_file():
        places = {number: place for place, number in enumerate(numbers)}
        stored: dict[str, list[int]] = json.loads(kept.read_text("utf-8"))
        return {name: [places[number] for number in part] for name, part in stored.items()}
    told = rows if cells is None else [{**row, CELL: cell} for row, cell in zip(rows, cells, strict=True)]
    found = divide(task, told, spec.split).parts
    write_whole(kept, json.dumps({name: [int(numbers[place]) for place in part] for name, part in found.items()}))
    return found
