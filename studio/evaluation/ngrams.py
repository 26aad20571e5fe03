"""Texts as TF-IDF vectors of word or character n-grams, in numpy alone, so that any process can hold them.

It does not split Chinese into words: character n-grams take that place. Vocabularies are saved as JSON and npz.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ANALYSERS = ("word", "char")
_LONGEST = {"word": 2, "char": 4}
_BITS = {"word": 32, "char": 16}
# Characters read of one text. What a topic or a mood needs stands well before that, and one long row stays cheap.
READ = {"word": 20_000, "char": 3_000}
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")

Codes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]


def normalise(text: str | None) -> str:
    """One form for all spellings a reader takes as equal: NFKC, case folded, runs of white space as one space."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text or "").casefold()).strip()


@dataclass(frozen=True)
class Sparse:
    """Rows of a sparse matrix (CSR): row i holds `values[starts[i]:starts[i + 1]]` in `columns` of the same slice."""

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    values: Floats
    width: int

    def times(self, weights: Floats) -> Floats:
        """This matrix [rows, width] times a dense one [width, outputs]."""
        product = np.zeros((len(self.starts) - 1, weights.shape[1]), dtype=np.float32)
        for row, (start, stop) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            product[row] = self.values[start:stop] @ weights[self.columns[start:stop]]
        return product


class Vectoriser:
    """Learns which n-grams to count (`fit`), then turns texts into unit-length TF-IDF rows (`transform`).

    An n-gram is one 64-bit code: word 1-2-grams pack two 32-bit word numbers, character 1-4-grams four 16-bit
    character numbers. Number 0 is "never seen"; n-grams holding it are left out.
    """

    def __init__(self, analyser: str) -> None:
        self.analyser = analyser
        self.symbols: dict[str, int] = {}
        self.codes: Codes = np.zeros(0, np.uint64)
        self.weights: Floats = np.zeros(0, np.float32)

    def fit(self, texts: Sequence[str | None], most: int) -> Sparse:
        """Keep the `most` n-grams found in most texts (in at least two, unless the texts are few); the texts' rows."""
        pieces = [self._pieces(text) for text in texts]
        # Sorted by frequency, then by symbol: the same numbers in every process, whatever the hash seed.
        counted = sorted(Counter(chain.from_iterable(pieces)).items(), key=lambda item: (-item[1], item[0]))
        limit = 2 ** min(_BITS[self.analyser], 20) - 1
        self.symbols = {symbol: number for number, (symbol, _) in enumerate(counted[:limit], start=1)}
        rows = [self._count(row) for row in pieces]
        codes, found_in = np.unique(
            np.concatenate([*(row[0] for row in rows), np.zeros(0, np.uint64)]), return_counts=True
        )
        often = found_in >= (2 if len(texts) >= 100 else 1)
        codes, found_in = codes[often], found_in[often]
        if len(codes) > most:
            kept = np.sort(np.argsort(-found_in, kind="stable")[:most])
            codes, found_in = codes[kept], found_in[kept]
        self.codes = codes
        self.weights = (np.log((1 + len(texts)) / (1 + found_in)) + 1).astype(np.float32)
        self._forget_unused()
        return self._weigh(rows)

    def transform(self, texts: Sequence[str | None]) -> Sparse:
        """TF-IDF rows with sublinear counts, each of length 1 (or 0 where nothing is known)."""
        return self._weigh([self._count(self._pieces(text)) for text in texts])

    def _weigh(self, rows: Sequence[tuple[Codes, npt.NDArray[np.int64]]]) -> Sparse:
        columns, values, starts = [], [], [0]
        for codes, counts in rows:
            place = np.searchsorted(self.codes, codes)
            known = place < len(self.codes)
            known[known] = self.codes[place[known]] == codes[known]
            place = place[known]
            weighed = (1 + np.log(counts[known])) * self.weights[place]
            length = float(np.sqrt(weighed @ weighed))
            columns.append(place)
            values.append((weighed / length if length else weighed).astype(np.float32))
            starts.append(starts[-1] + len(place))
        return Sparse(
            np.asarray(starts, np.int64),
            np.concatenate([*columns, np.zeros(0, np.int64)]).astype(np.int64),
            np.concatenate([*values, np.zeros(0, np.float32)]),
            len(self.codes),
        )

    def _pieces(self, text: str | None) -> list[str]:
        plain = normalise((text or "")[: READ[self.analyser]])
        return _WORD.findall(plain) if self.analyser == "word" else list(plain)

    def _count(self, pieces: list[str]) -> tuple[Codes, npt.NDArray[np.int64]]:
        """The distinct n-gram codes of one text, sorted, and how often each stands there."""
        known = self.symbols
        numbers = np.fromiter((known.get(piece, 0) for piece in pieces), np.uint64, len(pieces))
        bits, code, sound, found = np.uint64(_BITS[self.analyser]), numbers, numbers > 0, []
        for size in range(1, min(_LONGEST[self.analyser], len(numbers)) + 1):
            if size > 1:
                code = (code[:-1] << bits) | numbers[size - 1 :]
                sound = sound[:-1] & (numbers[size - 1 :] > 0)
            found.append(code[sound])
        codes, counts = np.unique(np.concatenate([*found, np.zeros(0, np.uint64)]), return_counts=True)
        return codes, counts

    def _forget_unused(self) -> None:
        """Drop symbols that stand in no kept n-gram; numbers stay, so codes stay valid."""
        bits = _BITS[self.analyser]
        parts = [(self.codes >> np.uint64(bits * place)) & np.uint64(2**bits - 1) for place in range(64 // bits)]
        used = set(np.unique(np.concatenate(parts)).tolist())
        self.symbols = {symbol: number for symbol, number in self.symbols.items() if number in used}

    def save(self, folder: Path) -> None:
        """Write vocabulary.json and vocabulary.npz."""
        facts: dict[str, Any] = {"analyser": self.analyser, "symbols": self.symbols}
        (folder / "vocabulary.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        np.savez_compressed(folder / "vocabulary.npz", codes=self.codes, weights=self.weights)

    @staticmethod
    def load(folder: Path) -> Vectoriser:
        facts = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        made = Vectoriser(facts["analyser"])
        made.symbols = facts["symbols"]
        with np.load(folder / "vocabulary.npz", allow_pickle=False) as arrays:
            made.codes, made.weights = arrays["codes"], arrays["weights"]
        return made
