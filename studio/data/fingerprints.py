"""Which rows say the same: 16 bytes stand for a text, so that a million rows are compared without holding them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from studio.data.split import normalised

if TYPE_CHECKING:
    import polars as pl

Cells = Sequence["str | None"]


def fingerprint(*cells: str | None) -> bytes | None:
    """The same for cells that differ only in letter case, white space and compatibility forms; None where all are
    blank."""
    told = [normalised(cell or "") for cell in cells]
    return stamp("\0".join(told)) if any(told) else None


def stamp(told: str) -> bytes:
    """What stands for a normalised text."""
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).digest()


class Repeats:
    """Collects rows and tells which repeat an earlier one."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}
        self.pairs: list[tuple[int, int]] = []
        """(first place, later place) of every repetition, in the order of the rows."""

    def add(self, rows: Iterable[tuple[int, bytes | None]]) -> None:
        for place, key in rows:
            if key is not None and (first := self._seen.setdefault(key, place)) != place:
                self.pairs.append((first, place))

    def later(self) -> pl.Series:
        """Places of the rows that repeat an earlier one."""
        import polars as pl

        return pl.Series("place", [place for _, place in self.pairs], pl.Int64)


class Torn(NamedTuple):
    """Rows that say the same under different labels."""

    places: list[int]
    labels: list[str]
    minority: list[int]
    """Places of the rows whose label is not the group's commonest; all of them where no label is."""


def conflicts(rows: Iterable[tuple[int, str | None, Cells]]) -> list[Torn]:
    """Groups of (place, label, texts) with equal texts and unequal labels; rows without text or label are passed by.

    Labels that differ only in letter case and white space are equal: they are two spellings, no contradiction.
    """
    first: dict[bytes, tuple[int, str]] = {}
    more: dict[bytes, list[tuple[int, str]]] = {}
    names: dict[str, str] = {}
    for place, label, texts in rows:
        key = fingerprint(*texts)
        if key is None or not label or not label.strip():
            continue
        one = (place, names.setdefault(label, label))
        if key not in first:
            first[key] = one
        else:
            more.setdefault(key, [first[key]]).append(one)
    found = []
    for group in more.values():
        counts = Counter(normalised(label) for _, label in group)
        if len(counts) > 1:
            (best, high), (_, second) = counts.most_common(2)
            gone = [place for place, label in group if high == second or normalised(label) != best]
            found.append(Torn([place for place, _ in group], [label for _, label in group], gone))
    return found
