"""Language models that only count: how often each token stands in the training rows (unigram), and after which other
one (bigram). They are what a neural model has to beat; both speak of the same tokens, so perplexities compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORED = -100
KINDS = ("unigram", "bigram")
Ids = npt.NDArray[np.int64]


class Counting:
    """Token counts of training rows; unseen tokens keep a share (add-one over the vocabulary).

    The bigram falls back on the unigram as Witten and Bell (1991) weigh it: the more different tokens were seen after
    one, the likelier is a new one there.
    """

    def __init__(self, vocabulary: int) -> None:
        self._unigrams = np.zeros(vocabulary, np.int64)
        self._pairs: Ids = np.zeros(0, np.int64)
        self._pair_counts: Ids = np.zeros(0, np.int64)
        self._after = np.zeros(vocabulary, np.int64)
        self._kinds = np.zeros(vocabulary, np.int64)

    @property
    def bytes(self) -> int:
        """What the counts take."""
        return int(self._unigrams.nbytes + self._pairs.nbytes + self._pair_counts.nbytes)

    def fit(self, rows: Iterable[Sequence[int]]) -> Counting:
        """Count the token ids of training rows (IGNORED ones aside)."""
        size = len(self._unigrams)
        codes = []
        for row in rows:
            ids = np.asarray(row, np.int64)
            self._unigrams += np.bincount(ids[ids >= 0], minlength=size)
            codes.append(_pairs(ids, size))
        self._pairs, self._pair_counts = np.unique(np.concatenate([*codes, np.zeros(0, np.int64)]), return_counts=True)
        before = self._pairs // size
        self._kinds = np.bincount(before, minlength=size)
        self._after = np.bincount(before, weights=self._pair_counts, minlength=size).astype(np.int64)
        return self

    def unigram(self, tokens: Ids) -> npt.NDArray[np.float64]:
        """Nats of each token by itself."""
        total = self._unigrams.sum() + len(self._unigrams)
        return np.asarray(-np.log((self._unigrams[tokens] + 1) / total))

    def bigram(self, before: Ids, tokens: Ids) -> npt.NDArray[np.float64]:
        """Nats of each token after the one before it."""
        code = before * len(self._unigrams) + tokens
        place = np.minimum(np.searchsorted(self._pairs, code), max(len(self._pairs) - 1, 0))
        seen = np.zeros(len(code), np.int64)
        if len(self._pairs):
            seen = np.where(self._pairs[place] == code, self._pair_counts[place], 0)
        alone = np.exp(-self.unigram(tokens))
        weight = self._after[before] + self._kinds[before]
        shares = (seen + self._kinds[before] * alone) / np.maximum(weight, 1)
        return np.asarray(-np.log(np.where(weight > 0, shares, alone)))

    def losses(self, kind: str, rows: Iterable[Sequence[int]]) -> list[dict[str, Any]]:
        """{"loss": nats summed, "tokens"} of each causal row: every token but the first, as a causal model reads it."""
        found = []
        for row in rows:
            ids = np.asarray(row, np.int64)
            here = (ids[1:] >= 0) & (ids[:-1] >= 0)
            before, tokens = ids[:-1][here], ids[1:][here]
            nats = self.bigram(before, tokens) if kind == "bigram" else self.unigram(tokens)
            found.append({"loss": float(nats.sum()), "tokens": len(tokens)})
        return found

    def at(self, rows: Iterable[Sequence[int]]) -> list[dict[str, Any]]:
        """The same by unigram alone, for the tokens given: those that a masked model was asked for."""
        return [
            {"loss": float(self.unigram(np.asarray(row, np.int64)).sum()) if len(row) else 0.0, "tokens": len(row)}
            for row in rows
        ]


def _pairs(ids: Ids, size: int) -> Ids:
    both = (ids[1:] >= 0) & (ids[:-1] >= 0)
    return np.asarray(ids[:-1][both] * size + ids[1:][both])
