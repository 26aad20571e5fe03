"""What the charts of a data set show: rows of each label, the words that mark it, lengths."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

from studio.data.checks import Columns, chosen_columns, looked_places
from studio.data.markers import LOOKED_AT, Marker, markers
from studio.data.profile import histogram
from studio.data.store import DataVersion, read_column, read_rows
from studio.tasks.base import Task, tasks


@lru_cache(maxsize=64)
def label_counts(version: DataVersion, column: str, most: int | None = None) -> tuple[tuple[str, int], ...]:
    """(label, rows) of the `most` frequent labels of a column, the commonest first; blank cells are left out.

    Raises UserError (unknown column).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values, counts = pc.value_counts(read_column(version, column).drop_null()).flatten()
    table = pa.table({"value": values, "count": counts})
    table = table.filter(pc.not_equal(pc.utf8_trim_whitespace(values), ""))
    table = table.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, most)
    return tuple(zip(table.column("value").to_pylist(), table.column("count").to_pylist(), strict=True))


@lru_cache(maxsize=16)
def _words(version: DataVersion, key: str, columns: Columns) -> tuple[tuple[str, tuple[Marker, ...]], ...]:
    task = tasks.get(key)
    step = max(1, -(-version.rows // LOOKED_AT))
    rows = read_rows(version, dict(columns), None if step == 1 else range(0, version.rows, step))
    used = ((task.question(row), task.kind.names(task.truth(row) or "")) for row in rows if task.usable(row))
    return tuple((label, tuple(words)) for label, words in markers(used))


def label_words(
    version: DataVersion, task: str, columns: Mapping[str, str]
) -> tuple[tuple[str, tuple[Marker, ...]], ...]:
    """(label, the words that mark it) of the commonest labels, see `markers`; of large data from an even sample."""
    return _words(version, task, chosen_columns(columns))


def length_histogram(version: DataVersion, task: str, columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """("low–high" in characters, rows) of what the model reads, shortest first; [] where nothing can be read.

    The last bin holds all that is longer and is named so where it is much wider than the others ("≥ 800, max 9600").
    Of data with more than CHECKED rows, an even sample.
    """
    bins = histogram(_lengths(version, task, chosen_columns(columns)))
    edges = [round(edge) for edge in bins["edges"]]
    names = [f"{low}–{high}" for low, high in pairwise(edges)]
    if len(names) > 1 and edges[-1] - edges[-2] > 1.5 * (edges[1] - edges[0]):
        names[-1] = f"≥ {edges[-2]}, max {edges[-1]}"
    return [(name, int(count)) for name, count in zip(names, bins["counts"], strict=True)]


@lru_cache(maxsize=16)
def _lengths(version: DataVersion, key: str, columns: Columns) -> array[int]:
    """Characters of what is read of each row, rows without any left out; a single column is counted in Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    task, places = tasks.get(key), looked_places(version.rows)
    asked = dict(columns).get(task.roles[0].key)
    if type(task).question is not Task.question or type(task).whole is not Task.whole:
        rows = read_rows(version, dict(columns), places)
        return array("q", (len(text) for text in (task.whole(row) for row in rows) if text))
    if asked is None:
        return array("q")
    found = pc.utf8_length(read_column(version, asked))
    found = found if places is None else found.take(pa.array(places))
    return array("q", (length for length in found.drop_null().to_pylist() if length))
