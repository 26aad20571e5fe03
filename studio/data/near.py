"""Texts that are nearly equal: candidates by MinHash and banding (library rensa), then compared in full.

Likeness is the Jaccard index of the sets of character groups (`studio.data.shingles`). Texts and their signatures wait
in temporary files, and are compared a few at a time, so that a million rows need minutes and little memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from studio.data.fingerprints import stamp
from studio.data.shingles import scattered, shingles
from studio.data.split import normalised

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]

Tell = Callable[[float], None]
"""Hears which share of the work, 0 to 1, is done."""
_SLOTS, _BANDS = 64, 16
"""Texts that are 0.8 alike share one of 16 bands of 4 with probability 0.9998."""
_BITS = 1024
"""Bits of a row's map of its groups: as many as differ in two maps, so many groups at least do."""
_DOUBT = 5.0
"""Standard deviations by which a signature may miss: pairs that look less alike than that are not compared in full."""
_LETTERS, _EACH = 500_000, 32
"""Characters that are worked on at once, and for how many a text counts besides: each takes some hundred bytes
meanwhile."""
_SHORTEST = {True: 20, False: 8}
"""Characters below which likeness says little, for ASCII and other texts."""


def likeness_of(one: str, other: str) -> float:
    """How alike two texts are, 0 to 1; blank ones are like nothing."""
    import numpy as np

    plain = [normalised(text).replace(" ", "") for text in (one, other)]
    if not all(plain):
        return 0.0
    codes, counts = shingles(plain)
    both = len(np.intersect1d(codes[: counts[0]], codes[counts[0] :], assume_unique=True))
    return float(both / (counts.sum() - both))


class Nearness:
    """Takes rows batch by batch, then says which are nearly an earlier one. Not to be used again after that."""

    def __init__(self) -> None:
        self._texts, self._signs = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._seen: set[bytes] = set()
        self._names: dict[str | None, int] = {}
        self._batches: list[tuple[Numbers, ...]] = []

    def add(self, rows: Sequence[tuple[int, str | None, str | None]]) -> None:
        """Rows of (place, text, label), places rising. Exact repetitions, and texts too short to say, are passed by."""
        import numpy as np

        kept, texts = [], []
        for place, text, label in rows:
            if text is None or len(text) < _SHORTEST[text.isascii()]:
                continue
            plain = normalised(text)
            if plain and (key := stamp(plain)) not in self._seen:
                self._seen.add(key)
                texts.append(plain.replace(" ", ""))
                kept.append((place, self._names.setdefault(label, len(self._names)), len(texts[-1])))
        for piece in _pieces(np.array([length for *_, length in kept], dtype=np.int64)):
            codes, counts = shingles(texts[piece])
            written = [text.encode("utf-8", "surrogatepass") for text in texts[piece]]
            self._signs.write(_signatures(codes, counts).data)
            self._texts.write(b"".join(written))
            sizes = np.fromiter(map(len, written), np.int64, len(written))
            self._batches.append((*np.array(kept[piece], dtype=np.int64).T, sizes, counts))

    def pairs(self, likeness: float, tell: Tell = lambda share: None, across: bool = False) -> tuple[Numbers, Numbers]:
        """(places of earlier rows, places of later ones), later ones rising: rows that are at least so alike and have
        the same label, or, `across`, another one. A row is paired with one earlier row only."""
        import numpy as np

        with self._texts, self._signs:
            if not self._batches:
                return np.zeros(0, np.int64), np.zeros(0, np.int64)
            self._texts.flush()
            self._signs.flush()
            places, labels, letters, sizes, counts = (np.concatenate(part) for part in zip(*self._batches, strict=True))
            signs = np.memmap(self._signs, np.uint32, "r", shape=(len(places), _SLOTS + _BITS // 32))
            judge = _Judge(self._texts.fileno(), signs, (labels, letters, sizes, counts), likeness, across)
            firsts = np.full(len(places), -1, dtype=np.int64)
            for band in range(_BANDS):
                for turn, (one, other) in enumerate(_candidates(signs, band)):
                    fresh = firsts[other] < 0
                    one, other = one[fresh], other[fresh]

                    def told(share: float, done: float = band + turn / 2) -> None:
                        tell((done + share / 2) / _BANDS)

                    alike = judge.alike(one, other, told)
                    firsts[other[alike]] = one[alike]
            later = np.flatnonzero(firsts >= 0)
            return places[firsts[later]], places[later]


def _pieces(letters: Numbers) -> Iterator[slice]:
    """Neighbouring texts of these many characters, together about as many as are worked on at once."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.cumsum(letters + _EACH) // _LETTERS, prepend=-1)).tolist()
    for start, end in pairwise([*edges, len(letters)]):
        yield slice(start, end)


def _signatures(codes: Numbers, counts: Numbers) -> Numbers:
    """(texts, slots and then the words of the map) uint32."""
    import numpy as np
    from rensa import RMinHash

    hashes = scattered(codes)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _SLOTS, 7)
    slots = np.fromiter(chain.from_iterable(matrix.to_rows()), np.uint32, len(counts) * _SLOTS)
    there = np.zeros((len(counts), _BITS), dtype=bool)
    there[np.repeat(np.arange(len(counts)), counts), hashes % np.uint64(_BITS)] = True
    return np.hstack([slots.reshape(len(counts), _SLOTS), np.packbits(there, axis=1).view(np.uint32)])


def _candidates(signs: Numbers, band: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs (earlier, later) that agree in the whole band: each with the first of them, then with the one before it, so
    that a thousand equal beginnings cost two thousand comparisons and not a million."""
    import numpy as np

    width = _SLOTS // _BANDS
    words = np.ascontiguousarray(signs[:, band * width : (band + 1) * width]).view(np.uint64)
    keys = scattered(words[:, 0]) ^ words[:, 1]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    new = np.concatenate([[True], keys[1:] != keys[:-1]])
    first = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))
    spots = np.flatnonzero(~new)
    yield order[first[spots]], order[spots]
    spots = spots[first[spots] < spots - 1]
    yield order[spots - 1], order[spots]


class _Judge:
    """Compares pairs of rows, cheaply where that settles it, else in full."""

    def __init__(self, file: int, signs: Numbers, columns: tuple[Numbers, ...], likeness: float, across: bool) -> None:
        import numpy as np

        self._file, self._signs, self._likeness, self._across = file, signs, likeness, across
        self._labels, self._letters, self._sizes, self._counts = columns
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._least = _SLOTS * likeness - _DOUBT * (_SLOTS * likeness * (1 - likeness)) ** 0.5

    def alike(self, one: Numbers, other: Numbers, tell: Tell) -> Numbers:
        """Whether each pair is alike enough and of one label, or of two."""
        import numpy as np

        least = np.minimum(self._counts[one], self._counts[other])
        most = np.maximum(self._counts[one], self._counts[other])
        fits = (self._labels[one] != self._labels[other]) == self._across
        open_ = np.flatnonzero(fits & (least / most >= self._likeness))
        found = np.zeros(len(one), dtype=bool)
        for piece in _pieces(self._letters[one[open_]] + self._letters[other[open_]]):
            pairs = open_[piece]
            pairs = pairs[self._close(one[pairs], other[pairs])]
            if len(pairs):
                found[pairs] = self._in_full(one[pairs], other[pairs])
            tell(piece.stop / len(open_))
        return found

    def _close(self, one: Numbers, other: Numbers) -> Numbers:
        """Whether each pair may be alike enough, by what is known of both."""
        import numpy as np

        left, right = self._signs[one], self._signs[other]
        same = (left[:, :_SLOTS] == right[:, :_SLOTS]).sum(axis=1)
        apart = np.bitwise_count(left[:, _SLOTS:] ^ right[:, _SLOTS:]).sum(axis=1, dtype=np.int64)
        whole = self._counts[one] + self._counts[other]
        found: Numbers = (same >= self._least) & ((whole - apart) / (whole + apart) >= self._likeness)
        return found

    def _in_full(self, one: Numbers, other: Numbers) -> Numbers:
        import numpy as np

        rows, spots = np.unique(np.concatenate([one, other]), return_inverse=True)
        codes, counts = shingles([self._text(row) for row in rows.tolist()])
        starts = np.cumsum(counts) - counts
        sides = [_keyed(codes, starts, counts, spot) for spot in (spots[: len(one)], spots[len(one) :])]
        # What stands on both sides of a pair stands twice among its groups.
        keys = np.concatenate(sides)
        keys.sort(kind="stable")
        twice = keys[1:][keys[1:] == keys[:-1]]
        both = np.bincount((twice >> np.uint64(44)).astype(np.int64), minlength=len(one))
        alike: Numbers = both / (self._counts[one] + self._counts[other] - both) >= self._likeness
        return alike

    def _text(self, row: int) -> str:
        size, start = int(self._sizes[row]), int(self._starts[row])
        return os.pread(self._file, size, start).decode("utf-8", "surrogatepass")


def _keyed(codes: Numbers, starts: Numbers, counts: Numbers, spots: Numbers) -> Numbers:
    """The groups of the texts at `spots`, each below its pair's number."""
    import numpy as np

    sizes = counts[spots]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1]) + np.repeat(starts[spots] - (ends - sizes), sizes)
    keyed: Numbers = np.repeat(np.arange(len(spots), dtype=np.uint64), sizes) << np.uint64(44) | codes[places]
    return keyed
