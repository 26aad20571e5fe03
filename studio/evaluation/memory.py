"""Simple models for tasks that write: the text itself, its first sentence, and the answer of the most similar training
row. They are what an encoder-decoder has to beat."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from studio.evaluation.ngrams import Sparse, Vectoriser

COPY, LEAD, NEAREST = "copy", "lead", "nearest"
MOST_ROWS = 20_000
"""Training rows the nearest one is looked for in."""
_NGRAMS = 50_000
_END = re.compile(r"(?<=[。！？!?])\s*|(?<=\.)\s+(?=\S)|\n+")
_SHORTEST = 2


def lead_sentence(text: str) -> str:
    """The first sentence, by full stops of either kind or a line break."""
    parts = [part.strip() for part in _END.split(text.strip()) if part and len(part.strip()) > _SHORTEST]
    return parts[0] if parts else text.strip()


class Nearest:
    """A translation memory: the answer that belongs to the training text most like the one asked (TF-IDF, cosine)."""

    def __init__(self, texts: Sequence[str], answers: Sequence[str]) -> None:
        self._answers = list(answers[:MOST_ROWS])
        self._vectoriser = Vectoriser("char" if _unspaced(texts) else "word")
        self._rows = self._vectoriser.fit(list(texts[:MOST_ROWS]), _NGRAMS)
        self._whose = np.repeat(np.arange(len(self._answers)), np.diff(self._rows.starts))

    @property
    def bytes(self) -> int:
        """What it keeps of the training rows."""
        kept = self._rows.values.nbytes + self._rows.columns.nbytes
        return int(kept + sum(len(answer.encode()) for answer in self._answers))

    def answers(self, texts: Sequence[str]) -> list[str]:
        """The best known answer to each text; "" where no word of it was ever seen."""
        asked = self._vectoriser.transform(list(texts))
        found = []
        for start, stop in zip(asked.starts[:-1], asked.starts[1:], strict=True):
            likeness = self._likeness(asked, int(start), int(stop))
            best = int(likeness.argmax()) if len(likeness) else 0
            found.append(self._answers[best] if len(likeness) and likeness[best] > 0 else "")
        return found

    def _likeness(self, asked: Sparse, start: int, stop: int) -> np.ndarray:  # type: ignore[type-arg]
        question = np.zeros(asked.width, np.float32)
        question[asked.columns[start:stop]] = asked.values[start:stop]
        products = self._rows.values * question[self._rows.columns]
        return np.bincount(self._whose, weights=products, minlength=len(self._answers))


def _unspaced(texts: Sequence[str]) -> bool:
    """Whether most characters belong to writing without spaces."""
    sample = "".join(texts[:200])
    return sum("\u3040" <= mark <= "\u9fff" for mark in sample) > 0.3 * max(len(sample), 1)
