"""Which rows train, validate and test: stratified by label, seeded, and never the same text in two parts.

The division depends on texts, labels and seed alone, not on the order of rows, the process or the machine: every
group of equal texts gets a place in line by its hash.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from studio.spec import Split

PARTS = ("train", "validation", "test")
_ASSURED = 5
"""Groups of one label from which every part gets at least one of them."""


def normalised(text: str) -> str:
    """The text as duplicates are judged: compatibility forms, letter case and white space do not count."""
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
    members = _together(texts, groups)
    strata: dict[str, list[str]] = defaultdict(list)
    for key, rows in members.items():
        counts = Counter((labels[row] or "") if labels is not None else "" for row in rows)
        strata[min(counts, key=lambda label: (-counts[label], label))].append(key)
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    owed = dict.fromkeys(PARTS, 0.0)
    for label in sorted(strata):
        keys = sorted(strata[label], key=lambda key: hashlib.sha256(f"{split.seed}:{key}".encode()).digest())
        _divide(keys, members, split, found, owed)
    _fill_empty(found, split)
    return {part: sorted(row for key in keys for row in members[key]) for part, keys in found.items()}


def _together(texts: Sequence[str], groups: Sequence[Hashable] | None) -> dict[str, list[int]]:
    """Rows that must not be parted, by a key that depends on their texts only."""
    keys = [hashlib.blake2b(normalised(text).encode("utf-8", "replace"), digest_size=16).hexdigest() for text in texts]
    leader: dict[Hashable, Hashable] = {}

    def lead(one: Hashable) -> Hashable:
        while (above := leader.setdefault(one, one)) != one:
            leader[one] = leader[above]
            one = above
        return one

    for row, key in enumerate(keys):
        group = groups[row] if groups is not None else None
        if group is None:
            lead(("text", key))
        else:
            leader[lead(("text", key))] = lead(("group", group))
    gathered: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        gathered[lead(("text", key))].append(row)
    return {min(keys[row] for row in rows): rows for rows in gathered.values()}


def _divide(
    keys: list[str], members: dict[str, list[int]], split: Split, found: dict[str, list[str]], owed: dict[str, float]
) -> None:
    """Hand the groups of one label to the parts. `owed` carries what rounding left over to the next label."""
    shares = {"train": 1 - split.validation - split.test, "validation": split.validation, "test": split.test}
    wanted = [part for part in ("train", "test", "validation") if shares[part] > 0]
    total = sum(len(members[key]) for key in keys)
    need = {part: shares[part] * total + owed[part] for part in PARTS}
    # The small groups come first where one is assured, so that no part is filled by one giant group.
    assured = sorted(keys, key=lambda key: len(members[key]))[: len(wanted) if len(keys) >= _ASSURED else 1]
    rest = [key for key in keys if key not in set(assured)]
    # Large groups are placed while there is still room for them.
    rest.sort(key=lambda key: -len(members[key]))
    for key, part in zip(assured, wanted, strict=False):
        found[part].append(key)
        need[part] -= len(members[key])
    for key in rest:
        part = max(wanted, key=lambda part: need[part])
        found[part].append(key)
        need[part] -= len(members[key])
    owed.update(need)


def _fill_empty(found: dict[str, list[str]], split: Split) -> None:
    """Few rows: a part that was asked for and got nothing takes a group from train, as long as train keeps one."""
    for part, share in (("test", split.test), ("validation", split.validation)):
        if share > 0 and not found[part] and len(found["train"]) > 1:
            found[part].append(found["train"].pop())
