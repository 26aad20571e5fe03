"""Simple models for tasks that write: the text itself, its first sentence, and the answer of the most similar training
row. They are what an encoder-decoder has to beat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.evaluation.baseline import Baseline, Question
from studio.evaluation.ngrams import Sparse, Vectoriser
from studio.tasks.base import Prediction

_NGRAMS = 50_000
_END = re.compile(r"(?<=[。！？!?])\s*|(?<=\.)\s+(?=\S)|\n+")


def lead_sentence(text: str) -> str:
    """The first sentence, by full stops of either kind or a line break."""
    parts = [part.strip() for part in _END.split(text.strip()) if part and len(part.strip()) > 1]
    return parts[0] if parts else text.strip()


class Copy(Baseline):
    """The text itself, unchanged."""

    key = "copy"
    result = "text"

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [{"text": self._answer(text or "")} for text in texts]

    def _answer(self, text: str) -> str:
        return text

    def _write(self, folder: Path) -> dict[str, Any]:
        return {}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Copy:
        return cls()


class Lead(Copy):
    """The first sentence of the text."""

    key = "lead"

    def _answer(self, text: str) -> str:
        return lead_sentence(text)


class Memory(Baseline):
    """A translation memory: the answer that belongs to the training text most like the one asked (TF-IDF, cosine)."""

    key = "nearest"
    result = "text"

    def __init__(self, answers: Sequence[str], vectoriser: Vectoriser, rows: Sparse) -> None:
        super().__init__()
        self._answers, self._vectoriser, self._rows = list(answers), vectoriser, rows
        self._whose = np.repeat(np.arange(len(self._answers)), np.diff(rows.starts))

    @staticmethod
    def fit(texts: Sequence[str], answers: Sequence[str]) -> Memory:
        """Of training texts and their answers."""
        vectoriser = Vectoriser("char" if _unspaced(texts) else "word")
        return Memory(answers, vectoriser, vectoriser.fit(list(texts), _NGRAMS))

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        """The best known answer to each text; "" where no word of it was ever seen."""
        asked = self._vectoriser.transform(list(texts))
        found = []
        for start, stop in zip(asked.starts[:-1], asked.starts[1:], strict=True):
            likeness = self._likeness(asked, int(start), int(stop))
            best = int(likeness.argmax())
            found.append({"text": self._answers[best] if likeness[best] > 0 else ""})
        return found

    def _write(self, folder: Path) -> dict[str, Any]:
        self._vectoriser.save(folder)
        rows = self._rows
        np.savez_compressed(folder / "memory.npz", starts=rows.starts, columns=rows.columns, values=rows.values)
        return {"answers": self._answers}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Memory:
        vectoriser = Vectoriser.load(folder)
        with np.load(folder / "memory.npz", allow_pickle=False) as arrays:
            rows = Sparse(arrays["starts"], arrays["columns"], arrays["values"], len(vectoriser.codes))
        return Memory(facts["answers"], vectoriser, rows)

    def _likeness(self, asked: Sparse, start: int, stop: int) -> np.ndarray:  # type: ignore[type-arg]
        question = np.zeros(asked.width, np.float32)
        question[asked.columns[start:stop]] = asked.values[start:stop]
        products = self._rows.values * question[self._rows.columns]
        return np.bincount(self._whose, weights=products, minlength=len(self._answers))


def _unspaced(texts: Sequence[str]) -> bool:
    """Whether most characters belong to writing without spaces."""
    sample = "".join(texts[:200])
    return sum("\u3040" <= mark <= "\u9fff" for mark in sample) > 0.3 * max(len(sample), 1)
