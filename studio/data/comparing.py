"""Two versions beside each other: rows that came, went or changed. Of each row only two numbers are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.mending import EXAMPLES, ROWS, Source
from studio.data.store import read_parquet_rows

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 160


def compared(before: Source, after: Source, related: bool) -> dict[str, Any]:
    """{"before", "after": rows, "same", "changed", "dropped", "added", "columns_dropped", "columns_added", "examples"}.

    `related` versions come from the same file: their rows are the same by place there. Others are compared by content
    alone, so that nothing is "changed". An example is as a step's.
    """
    import numpy as np

    both = [name for name in before.columns() if name in after.columns()]
    old, new = _hashes(before, both), _hashes(after, both)
    told: dict[str, Any] = {
        "before": len(old),
        "after": len(new),
        "columns_dropped": [name for name in before.columns() if name not in both],
        "columns_added": [name for name in after.columns() if name not in both],
    }
    ids = (before.origins(), after.origins()) if related else (old, new)
    # A row that stands several times: the first of them stands for all, the others count as added or dropped.
    (one, left), (other, right) = (np.unique(keys, return_index=True) for keys in ids)
    _, first, second = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    changed = old[left[first]] != new[right[second]]
    gone = np.setdiff1d(left, left[first], assume_unique=True)
    came = np.setdiff1d(right, right[second], assume_unique=True)
    told["changed"] = int(changed.sum())
    told["same"] = int(len(first) - told["changed"])
    told["dropped"] = int(len(old) - len(first))
    told["added"] = int(len(new) - len(first))
    pairs = list(zip(left[first][changed].tolist(), right[second][changed].tolist(), strict=True))[:EXAMPLES]
    lost, new_ones = sorted(gone.tolist())[:EXAMPLES], sorted(came.tolist())[:EXAMPLES]
    told["examples"] = _examples(before, after, both, pairs, lost, new_ones)
    return told


def _hashes(source: Source, columns: list[str]) -> np.ndarray[Any, Any]:
    """A number a row for its cells in these columns."""
    import numpy as np

    if not columns:
        return np.zeros(source.rows(), dtype=np.uint64)
    # Columns in the order given, because the hash depends on it.
    found = [frame.select(columns).hash_rows(seed=1).to_numpy() for frame in source.frames(columns)]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)


def _examples(
    before: Source, after: Source, columns: list[str], pairs: list[tuple[int, int]], gone: list[int], came: list[int]
) -> list[dict[str, Any]]:
    named = {column: column for column in columns}
    numbers = (before.origins(), after.origins())
    found = []
    olds = read_parquet_rows(before.folder / ROWS, named, [one for one, _ in pairs]) if pairs else []
    news = read_parquet_rows(after.folder / ROWS, named, [other for _, other in pairs]) if pairs else []
    for (place, _), old, new in zip(pairs, olds, news, strict=True):
        column = next((name for name in columns if old[name] != new[name]), columns[0])
        found.append(_told(numbers[0][place], column, old[column] or "", new[column] or ""))
    for source, places, side in ((before, gone, 0), (after, came, 1)):
        for place, row in zip(
            places, read_parquet_rows(source.folder / ROWS, named, places) if places else [], strict=True
        ):
            column = max(columns, key=lambda name: len(row[name] or ""))
            text = row[column] or ""
            found.append(_told(numbers[side][place], column, None if side else text, text if side else None))
    return found


def _told(origin: int, column: str, before: str | None, after: str | None) -> dict[str, Any]:
    cut = [None if text is None else text[:_SHOWN] for text in (before, after)]
    return {"row": int(origin) + 1, "column": column, "before": cut[0], "after": cut[1]}
