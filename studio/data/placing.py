"""Parts of the split that a column decides: by time, the latest rows test; or as the column itself says.

Rows that share a text arrive here as one group (`members`), and a group never lies in two parts.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from studio.data.times import day_first, moment
from studio.errors import UserError
from studio.spec import Split

PARTS = ("train", "validation", "test")
Groups = dict[bytes, list[int]]
Carve = Callable[[list[int], Split], dict[str, list[int]]]
_WORDS = {
    "train": ("train", "training", "trn", "训练", "训练集"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "验证", "验证集", "开发集"),
    "test": ("test", "testing", "tst", "测试", "测试集"),
}
_PART_OF = {word: part for part, words in _WORDS.items() for word in words}
_LETTERS = re.compile(r"[a-z]+|[\u3400-\u9fff]+")
_SHOWN = 5
_SAMPLE = 1_000
"""Cells from which it is judged whether days stand before months."""


class Placed(NamedTuple):
    """Rows by part; `left` rows are in none, because their text stands in another part; of `unread` rows the column
    does not say when they are from."""

    parts: dict[str, list[int]]
    left: int = 0
    unread: int = 0


@lru_cache(maxsize=4_096)
def part_of(cell: str | None) -> str | None:
    """The part that a cell names: "train", "dev", "测试集", or a file's name such as "data/test-00000.parquet"."""
    text = unicodedata.normalize("NFKC", cell or "").casefold().strip()
    if text in _PART_OF:
        return _PART_OF[text]
    for piece in reversed(text.replace("\\", "/").split("/")):
        found = {_PART_OF[word] for word in _LETTERS.findall(piece) if word in _PART_OF}
        if len(found) == 1:
            return found.pop()
        if found:
            return None
    return None


def says_parts(values: Sequence[str | None]) -> bool:
    """Whether all values of a column name parts, training and another one among them."""
    found = {part_of(value) for value in values}
    return None not in found and "train" in found and len(found) > 1


def by_time(members: Groups, cells: Sequence[str | None], split: Split) -> Placed:
    """The earliest rows train, then validation, the latest test. A text is from when it first occurs; rows without a
    time train, since nobody can say that they came later.

    Raises UserError (`split_times_unreadable`) where hardly any cell names a time.
    """
    days = day_first(cells[: 100 * _SAMPLE : 100] if len(cells) > 100 * _SAMPLE else cells)
    seen: dict[str | None, float | None] = {}
    for cell in cells:
        if cell not in seen:
            seen[cell] = moment(cell, days)
    unread = sum(seen[cell] is None for cell in cells)
    if unread * 2 > len(cells):
        shown = list(dict.fromkeys(cell or "-" for cell in cells if seen[cell] is None))[:_SHOWN]
        raise UserError("split_times_unreadable", column=split.column, values=shown, count=unread, rows=len(cells))
    times = {
        key: min((time for row in rows if (time := seen[cells[row]]) is not None), default=float("-inf"))
        for key, rows in members.items()
    }
    ordered = sorted(members, key=lambda key: (times[key], key))
    found: dict[str, list[int]] = {}
    for part, keys in zip(PARTS, _cut(ordered, members, split), strict=True):
        found[part] = sorted(row for key in keys for row in members[key])
    return Placed(found, unread=unread)


def _cut(ordered: list[bytes], members: Groups, split: Split) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The groups in their order, cut where the shares are full; each part that is asked for gets one where there are
    enough, train first, then test."""
    rows = list(accumulate(len(members[key]) for key in ordered))
    total = rows[-1] if rows else 0
    train = bisect_right(rows, (1 - split.validation - split.test) * total + 0.5)
    end = bisect_right(rows, (1 - split.test) * total + 0.5)
    end = min(end, len(ordered) - (split.test > 0))
    train = max(1, min(train, end - (split.validation > 0)))
    end = max(end, train)
    return ordered[:train], ordered[train:end], ordered[end:]


def as_given(members: Groups, cells: Sequence[str | None], split: Split, carve: Carve) -> Placed:
    """What the column says. A text that stands in several parts stays in the test, else in the validation, and its
    other rows are left out; a part the column does not name is carved from the training rows by `carve(rows, shares)`.

    Raises UserError (`split_values_unknown`, `split_no_train`).
    """
    told = [part_of(cell) for cell in cells]
    if unknown := Counter((cells[row] or "").strip() or "-" for row, part in enumerate(told) if part is None):
        shown = [value for value, _ in unknown.most_common(_SHOWN)]
        raise UserError("split_values_unknown", column=split.column, values=shown, count=unknown.total())
    if "train" not in told:
        raise UserError("split_no_train", column=split.column, values=sorted({cell or "-" for cell in cells})[:_SHOWN])
    found: dict[str, list[int]] = {part: [] for part in PARTS}
    left = 0
    for rows in members.values():
        part = max((told[row] or "" for row in rows), key=PARTS.index)
        kept = [row for row in rows if told[row] == part]
        found[part] += kept
        left += len(rows) - len(kept)
    shares = {"validation": split.validation, "test": split.test}
    missing = {part: share for part, share in shares.items() if part not in told}
    if missing:
        validation, test = (missing.get(part, 0.0) for part in shares)
        carved = carve(found["train"], Split(validation, test, split.seed))
        found |= {part: carved[part] for part in ("train", *missing)}
    return Placed({part: sorted(rows) for part, rows in found.items()}, left=left)
