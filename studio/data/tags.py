"""Tags of tokens as people write them - BIO, BIOES, BILOU, IO - and the entities they mean.

Ill-formed tags are read as the field's scorers read them (conlleval, seqeval): an I- that continues nothing begins an
entity. How often that was needed is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
_MARKED = re.compile(r"([BIESLUM])[-_](.+)")
_NOTHING = frozenset({"", "O", "o", "-", "_", "0"})
_BEGINS, _ENDS = frozenset("BSU"), frozenset("ESLU")


class Chunk(NamedTuple):
    """An entity as tokens [start, end)."""

    start: int
    end: int
    type: str


class Scheme(NamedTuple):
    """How a set of tags is written. `marked`: with B-, I-, ... before the type; else the type alone (IO)."""

    marked: bool


def scheme_of(tags: Iterable[str]) -> Scheme:
    """The scheme of all tags of a file: marked where any tag has a mark before its type."""
    return Scheme(any(_MARKED.fullmatch(tag) for tag in tags))


def is_outside(tag: str) -> bool:
    return tag.strip() in _NOTHING


def split_tag(tag: str, scheme: Scheme) -> tuple[str, str]:
    """(mark, type) of a tag: ("O", "") outside, ("I", type) where tags have no marks.

    Raises ValueError for a tag without a mark among marked ones.
    """
    tag = tag.strip()
    if tag in _NOTHING:
        return OUTSIDE, ""
    if not scheme.marked:
        return "I", tag
    found = _MARKED.fullmatch(tag)
    if found is None:
        raise ValueError(tag)
    return found[1], found[2]


def chunks(tags: Sequence[tuple[str, str]]) -> list[Chunk]:
    """The entities of (mark, type) pairs, as seqeval reads them in its default mode."""
    found: list[Chunk] = []
    start, kind, before = 0, "", OUTSIDE
    for place, (mark, name) in enumerate([*tags, (OUTSIDE, "")]):
        begins = mark != OUTSIDE and (mark in _BEGINS or before == OUTSIDE or before in _ENDS or name != kind)
        if kind and (mark == OUTSIDE or begins):
            found.append(Chunk(start, place, kind))
            kind = ""
        if begins:
            start, kind = place, name
        before = mark
    return found


def repairs(tags: Sequence[tuple[str, str]], scheme: Scheme) -> int:
    """How many entities begin with a mark that continues one (I-, E-, L-, M-): read as a beginning all the same."""
    if not scheme.marked:
        return 0
    return sum(tags[chunk.start][0] not in _BEGINS for chunk in chunks(tags))


def from_numbers(rows: Sequence[Sequence[int]]) -> list[list[str]]:
    """Tags that are numbers without names: 0 is outside. Where every even number continues the one before it, as in
    most published sets (1 = B-, 2 = I- of one type, ...), they are read so; else every number is a type."""
    continued = good = 0
    for row in rows:
        for before, tag in zip([0, *row], row, strict=False):
            if tag and tag % 2 == 0:
                continued += 1
                good += before in (tag, tag - 1)
    if continued and good >= 0.99 * continued:
        return [[OUTSIDE if not tag else f"{'B' if tag % 2 else 'I'}-{(tag + 1) // 2}" for tag in row] for row in rows]
    return [[str(tag) if tag else OUTSIDE for tag in row] for row in rows]
