"""Which rows train, validate and test: stratified by label, seeded, and never the same text in two parts.

`Split.how` may say otherwise: at random, whole groups of a column, by time, or as a column says; the rule about texts
holds in all of them. The division depends on texts, labels, that column and the seed alone, not on the order of rows,
the process or the machine: every group of equal texts has its place in line by a hash of its text under the seed.
`divide` is what the screen and a run both ask, so that the one shows what the other uses.
"""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from studio.data.placing import PARTS, Groups, Placed, as_given, by_time
from studio.errors import UserError
from studio.spec import COLUMN_SPLITS, Split
from studio.tasks.base import Row, Task
from studio.tasks.earlier import THREAD, WHOLE

CELL = "\0split"
"""The key under which a row carries the cell of the column that splits, beside its roles."""
_ASSURED = 5
"""Groups of one label from which on every part gets at least one of them."""
_FORMULA, _FEW = 0.05, 20
"""Share of the rows, and number of them, from which on what they share may be a formula such as a greeting."""


class Formula(NamedTuple):
    """A text in so many rows that keeping all of them together would leave nothing to test; it ties none of them."""

    text: str
    rows: int


class Division(NamedTuple):
    """Places (from 0) of rows by part, their labels (None where the task has none), what was too common, how many
    rows a column that splits left out or could not place (see `placing.Placed`), and how many have a text that stands
    in several conversations and could not keep those together."""

    parts: dict[str, list[int]]
    labels: list[str] | None
    formulas: list[Formula]
    left: int = 0
    unread: int = 0
    shared: int = 0


def normalised(text: str) -> str:
    """The text as duplicates are judged: compatibility forms, letter case and white space do not count."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def divide(task: Task, rows: Iterable[Row], split: Split) -> Division:
    """The parts of usable rows: `split_rows`, stratified by label where the task has labels, grouped by its `ties`. A
    column that splits stands in each row under CELL.

    Rows are read once and not kept, so that a large file can pass by. Raises ValueError as `split_rows`, UserError
    (`split_column_missing`, and those of `placing`).
    """
    _check(split)
    return gather(task, rows, split.seed, bool(split.column)).divide(split)


def gather(task: Task, rows: Iterable[Row], seed: int, by_column: bool = False) -> Gathered:
    """What the division of usable rows depends on besides the shares: other shares then read no row again."""
    found = Gathered(seed, [] if task.kind.strings else None, [] if by_column else None)
    known: dict[str, str] = {}
    alone = type(task).ties is Task.ties
    for row in rows:
        if alone or (task.grouping and THREAD.key not in row):
            found.keys.append(_key(task.question(row), seed))
        else:
            found.add(task.ties(row))
        if found.labels is not None:
            label = task.truth(row) or ""
            found.labels.append(known.setdefault(label, label))
        if found.cells is not None:
            cell = row.get(CELL)
            found.cells.append(None if cell is None else known.setdefault(cell, cell))
    found.close()
    return found


class Gathered:
    """Keys and labels of rows, and which texts they share: a union-find over the texts, in about linear time."""

    def __init__(self, seed: int, labels: list[str] | None, cells: list[str | None] | None = None) -> None:
        self.keys: list[bytes] = []
        self.labels = labels
        self.cells = cells
        self._seed = seed
        self._numbers: dict[bytes, int] = {}
        self._counts = array("q")
        self._common: dict[int, str] = {}
        # The texts of all rows one after the other, a row's own first, and where each row's texts end.
        self._flat, self._ends = array("q"), array("q")
        self._whole = False

    def divide(self, split: Split) -> Division:
        """The parts for these shares. Raises as `divide`."""
        _check(split)
        if split.how in COLUMN_SPLITS and self.cells is None:
            raise UserError("split_column_missing", how_code=f"split.{split.how}")
        groups, formulas, shared = self._groups(1 - split.validation - split.test)
        placed = self._placed(split, [] if groups is None else [groups])
        return Division(placed.parts, self.labels, formulas, placed.left, placed.unread, shared)

    def _placed(self, split: Split, groupings: list[Sequence[Hashable]]) -> Placed:
        cells = self.cells or []
        if split.how == "group":
            groupings.append([(cell or "").strip() or None for cell in cells])
        members = _members(self.keys, groupings)
        if split.how == "time":
            return by_time(members, cells, split)
        if split.how == "given":
            return as_given(members, cells, split, lambda rows, shares: self._carved(members, rows, shares))
        return Placed(_parts(members, None if split.how == "random" else self.labels, split))

    def _carved(self, members: Groups, rows: list[int], split: Split) -> dict[str, list[int]]:
        """Parts of some rows only, stratified; groups of which not all rows are among them give those that are."""
        wanted = set(rows)
        some = {key: kept for key, group in members.items() if (kept := [row for row in group if row in wanted])}
        return _parts(some, self.labels, split)

    def close(self) -> None:
        """No row is added any more; what finds known texts is much of the memory."""
        self._numbers = {}

    def add(self, texts: Sequence[str]) -> None:
        """The next row, by the texts that tie it, its own first."""
        self._whole = self._whole or texts[0].startswith(WHOLE)
        for place, text in enumerate(texts):
            key = _key(text, self._seed)
            if not place:
                self.keys.append(key)
            number = self._numbers.setdefault(key, len(self._counts))
            if number == len(self._counts):
                self._counts.append(0)
            self._counts[number] += 1
            if place and self._counts[number] >= _FEW:
                self._common.setdefault(number, text)
            self._flat.append(number)
        self._ends.append(len(self._flat))

    def _groups(self, share: float) -> tuple[list[int] | None, list[Formula], int]:
        """A group a row (None: texts say it all), such that rows sharing a text share the group.

        Where that makes a group larger than the `share` of train, what more than a twentieth of the rows have in
        common does not count: "Hi" at the head of every conversation is no leak, and a model has to be tested. Where
        single rows of conversations ("yes", "thank you") tie all of those together nevertheless, each conversation
        stays whole and nothing else counts; the last number is that of rows with such a text.
        """
        if len(self._flat) <= len(self.keys):
            return None, [], 0
        found = self._joined(frozenset())
        if max(Counter(found).values()) <= share * len(found):
            return found, [], 0
        common = [number for number in self._common if self._counts[number] > _FORMULA * len(found)]
        formulas = [Formula(self._common[number], self._counts[number]) for number in common]
        found = self._joined(frozenset(common))
        if self._whole and max(Counter(found).values()) > share * len(found):
            return self._joined(range(len(self._counts))), [], self._shared()
        return found, sorted(formulas, key=lambda one: (-one.rows, one.text)), 0

    def _shared(self) -> int:
        """Rows with a further text that rows of another conversation have as well."""
        owner: dict[int, int] = {}
        several: set[int] = set()
        rows = list(pairwise([0, *self._ends]))
        for start, end in rows:
            for number in self._flat[start + 1 : end]:
                if owner.setdefault(number, self._flat[start]) != self._flat[start]:
                    several.add(number)
        return sum(not several.isdisjoint(self._flat[start + 1 : end]) for start, end in rows)

    def _joined(self, without: Container[int]) -> list[int]:
        above = array("q", range(len(self._counts)))

        def lead(one: int) -> int:
            while above[one] != one:
                above[one] = one = above[above[one]]
            return one

        start = 0
        for end in self._ends:
            for other in self._flat[start + 1 : end]:
                if other not in without:
                    above[lead(other)] = lead(self._flat[start])
            start = end
        return [lead(self._flat[start]) for start in (0, *self._ends[:-1])] if self._ends else []


def split_rows(
    texts: Sequence[str],
    labels: Sequence[str | None] | None,
    split: Split,
    groups: Sequence[Hashable] | None = None,
) -> dict[str, list[int]]:
    """Places (from 0, rising) of the rows of each part; every row is in exactly one.

    Rows with the same normalised text, or the same `groups` entry (None: alone), stay together. Labels with fewer
    than five groups are not assured a place in every part, but always one in train. Raises ValueError for shares
    below 0 or of 1 and more in all.
    """
    _check(split)
    keys = [_key(text, split.seed) for text in texts]
    return _parts(_members(keys, [] if groups is None else [groups]), labels, split)


def _check(split: Split) -> None:
    if min(split.validation, split.test) < 0 or split.validation + split.test >= 1:
        raise ValueError("shares have to be at least 0 and below 1 in all")


def _key(text: str, seed: int) -> bytes:
    """A text's place in line under the seed; equal for texts that are duplicates."""
    key = str(seed).encode()[:64]
    return hashlib.blake2b(normalised(text).encode("utf-8", "replace"), digest_size=16, key=key).digest()


def _members(keys: Sequence[bytes], groupings: Sequence[Sequence[Hashable]]) -> Groups:
    return _by_group(keys, groupings) if groupings else _by_text(keys)


def _parts(members: Groups, labels: Sequence[str | None] | None, split: Split) -> dict[str, list[int]]:
    strata: dict[str, list[bytes]] = defaultdict(list)
    for key, rows in members.items():
        strata[_label_of(rows, labels)].append(key)
    found: dict[str, list[bytes]] = {part: [] for part in PARTS}
    owed = dict.fromkeys(PARTS, 0.0)
    for label in sorted(strata):
        _divide(sorted(strata[label]), members, split, found, owed)
    _fill_empty(found, split)
    return {part: sorted(row for key in chosen for row in members[key]) for part, chosen in found.items()}


def _label_of(rows: list[int], labels: Sequence[str | None] | None) -> str:
    """The commonest label of some rows; of equally common ones the first by name."""
    if labels is None:
        return ""
    if len(rows) == 1:
        return labels[rows[0]] or ""
    counts = Counter(labels[row] or "" for row in rows)
    return min(counts, key=lambda label: (-counts[label], label))


def _by_text(keys: Sequence[bytes]) -> Groups:
    members: Groups = defaultdict(list)
    for row, key in enumerate(keys):
        members[key].append(row)
    return members


def _by_group(keys: Sequence[bytes], groupings: Sequence[Sequence[Hashable]]) -> Groups:
    """Rows joined by text or by any grouping, however long the chain; a group's key is the smallest of its texts'."""
    leader: dict[Hashable, Hashable] = {}

    def lead(one: Hashable) -> Hashable:
        while (above := leader.setdefault(one, one)) != one:
            leader[one] = leader[above]
            one = above
        return one

    for number, groups in enumerate(groupings):
        for key, group in zip(keys, groups, strict=True):
            if group is not None:
                leader[lead(("text", key))] = lead((number, group))
    gathered: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        gathered[lead(("text", key))].append(row)
    return {min(keys[row] for row in rows): rows for rows in gathered.values()}


def _divide(
    keys: list[bytes], members: Groups, split: Split, found: dict[str, list[bytes]], owed: dict[str, float]
) -> None:
    """Hand the groups of one label to the parts. `owed` carries what rounding left over to the next label."""
    shares = {"train": 1 - split.validation - split.test, "test": split.test, "validation": split.validation}
    wanted = [part for part, share in shares.items() if share > 0]
    total = sum(len(members[key]) for key in keys)
    need = {part: shares[part] * total + owed[part] for part in PARTS}
    # Small groups go first where a place is assured, so that no part is filled by one giant group.
    keys = sorted(keys, key=lambda key: len(members[key]))
    assured = len(wanted) if len(keys) >= _ASSURED else 1
    for key, part in zip(keys[:assured], wanted, strict=False):
        found[part].append(key)
        need[part] -= len(members[key])
    # Then the large ones, while there is room for them; single rows fill up what is left.
    for key in reversed(keys[assured:]):
        part = max(wanted, key=need.__getitem__)
        found[part].append(key)
        need[part] -= len(members[key])
    owed.update(need)


def _fill_empty(found: dict[str, list[bytes]], split: Split) -> None:
    """Few rows: a part that was asked for and got nothing takes a group from train, as long as train keeps one."""
    for part, share in (("test", split.test), ("validation", split.validation)):
        if share > 0 and not found[part] and len(found["train"]) > 1:
            found[part].append(found["train"].pop())
