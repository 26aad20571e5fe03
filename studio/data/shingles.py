"""Texts as sets of neighbouring characters, a set a row, as numbers: four characters of ASCII, two of other scripts,
white space aside, so that it works without spaces between words. For finding texts that are nearly equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]

_ROW = 44
"""Bits below the row in a key of (row, group): a group has 43. So a call takes up to 2^20 texts."""


def shingles(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """(all groups of all texts, uint64, sorted and once within each text; how many each text has, int64).

    The texts are normalised and without white space, none is empty. A text shorter than a group is one group itself.
    Two groups have the same number only where they are the same.
    """
    import numpy as np

    plain = [text.isascii() for text in texts]
    sizes = np.where(np.array(plain, dtype=bool), 4, 2)
    filled = [
        text if len(text) > 3 else text.ljust(4 if ascii else 2, "\0") for text, ascii in zip(texts, plain, strict=True)
    ]
    letters = np.frombuffer("".join(filled).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, filled), np.int64, len(filled))
    rows = np.repeat(np.arange(len(filled)), lengths)
    keys = _joined(letters, sizes[rows] == 4) | rows.astype(np.uint64) << np.uint64(_ROW)
    # A group ends where its text does.
    keys = keys[np.arange(len(letters)) + sizes[rows] <= np.cumsum(lengths)[rows]]
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    counts = np.bincount((keys >> np.uint64(_ROW)).astype(np.int64), minlength=len(filled))
    return keys & np.uint64((1 << _ROW) - 1), counts


def _joined(letters: Numbers, four: Numbers) -> Numbers:
    """The group that begins at each letter: four times 7 bits, or twice 21 and a mark."""
    import numpy as np

    ahead = np.concatenate([letters, np.zeros(3, np.uint64)])
    count = len(letters)
    second, third, fourth = (ahead[place : place + count] for place in (1, 2, 3))
    pair = letters | second << np.uint64(21) | np.uint64(1 << 42)
    whole = letters | second << np.uint64(7) | third << np.uint64(14) | fourth << np.uint64(21)
    groups: Numbers = np.where(four, whole, pair)
    return groups


def scattered(codes: Numbers) -> Numbers:
    """Numbers of groups as hashes of 64 bits (SplitMix64's finaliser, Steele et al. 2014): the same number, the same
    hash, and neighbours far apart."""
    import numpy as np

    made = codes + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        made = (made ^ (made >> np.uint64(shift))) * np.uint64(factor)
    return made ^ (made >> np.uint64(31))
