"""Which rows train, validate and test: stratified by label, seeded, and never the same text in two parts.

The division depends on texts, labels and seed alone, not on the order of rows, the process or the machine: every
group of equal texts has its place in line by a hash of its text under the seed.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from studio.spec import Split

PARTS = ("train", "validation", "test")
_ASSURED = 5
"""Groups of one label from which on every part gets at least one of them."""
Groups = dict[bytes, list[int]]


def normalised(text: str) -> str:
    """The text as duplicates are judged: compatibility forms, letter case and white space do not count."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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
    if min(split.validation, split.test) < 0 or split.validation + split.test >= 1:
        raise ValueError("shares have to be at least 0 and below 1 in all")
    seed = str(split.seed).encode()[:64]
    keys = [
        hashlib.blake2b(normalised(text).encode("utf-8", "replace"), digest_size=16, key=seed).digest()
        for text in texts
    ]
    members = _by_text(keys) if groups is None else _by_group(keys, groups)
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


def _by_group(keys: Sequence[bytes], groups: Sequence[Hashable]) -> Groups:
    """Rows joined by text or by group, however long the chain; a group's key is the smallest of its texts'."""
    leader: dict[Hashable, Hashable] = {}

    def lead(one: Hashable) -> Hashable:
        while (above := leader.setdefault(one, one)) != one:
            leader[one] = leader[above]
            one = above
        return one

    for key, group in zip(keys, groups, strict=True):
        if group is not None:
            leader[lead(("text", key))] = lead(("group", group))
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
