"""Texts that are nearly equal: candidates by MinHash and banding (library rensa), then compared in full.

Likeness is the Jaccard index of the sets of character groups, so that it works without spaces between words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import fingerprint
from studio.data.split import normalised

if TYPE_CHECKING:
    import numpy as np

_PERMUTATIONS, _BANDS = 64, 16
"""Texts that are 0.8 alike share one of 16 bands of 4 with probability 0.9998."""
_BATCH = 10_000
_SHORTEST = {True: 20, False: 8}
"""Characters below which likeness says little, for ASCII and other texts."""


def groups_of(text: str) -> set[str]:
    """All groups of neighbouring characters: four of ASCII, two of other scripts, white space aside."""
    plain = "".join(normalised(text).split())
    size = 4 if plain.isascii() else 2
    return {plain[place : place + size] for place in range(max(1, len(plain) - size + 1))}


def nearly_equal(rows: Iterable[tuple[int, str | None, str | None]], likeness: float) -> list[tuple[int, int]]:
    """(earlier, later) places of rows (place, text, label) that are at least so alike and have the same label.

    A row is paired with one earlier row only; exact repetitions are none of its business.
    """
    import numpy as np

    places, texts, labels = _unique(rows)
    if len(places) < 2:
        return []
    digests = np.concatenate(list(_digests(texts)))
    found: dict[int, int] = {}
    width = _PERMUTATIONS // _BANDS
    for band in range(_BANDS):
        for one, other in _candidates(digests[:, band * width : (band + 1) * width]):
            if other not in found and labels[one] == labels[other] and _alike(texts[one], texts[other]) >= likeness:
                found[other] = one
    return sorted((places[one], places[other]) for other, one in found.items())


def _unique(rows: Iterable[tuple[int, str | None, str | None]]) -> tuple[list[int], list[str], list[str | None]]:
    places, texts, labels = [], [], []
    seen: set[bytes] = set()
    for place, text, label in rows:
        if text is not None and len(text) >= _SHORTEST[text.isascii()]:
            key = fingerprint(text)
            if key is not None and key not in seen:
                seen.add(key)
                places.append(place)
                texts.append(text)
                labels.append(label)
    return places, texts, labels


def _digests(texts: list[str]) -> Iterator[Any]:
    import numpy as np
    from rensa import RMinHash

    for start in range(0, len(texts), _BATCH):
        tokens = [list(groups_of(text)) for text in texts[start : start + _BATCH]]
        matrix = RMinHash.digest_matrix_from_token_sets(tokens, num_perm=_PERMUTATIONS, seed=7)
        yield np.array(matrix.to_rows(), dtype=np.uint32)


def _candidates(band: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) that agree in the whole band: each with the first and with the one before it, so that a
    thousand equal beginnings cost a thousand comparisons and not a million."""
    import numpy as np

    keys = np.ascontiguousarray(band).view(np.dtype((np.void, band.dtype.itemsize * band.shape[1]))).ravel()
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    first = before = -1
    for spot in np.flatnonzero(same).tolist():
        one, other = int(order[spot]), int(order[spot + 1])
        if one != before:
            first = one
        yield first, other
        if first != one:
            yield one, other
        before = other


def _alike(one: str, other: str) -> float:
    left, right = groups_of(one), groups_of(other)
    return len(left & right) / len(left | right)
