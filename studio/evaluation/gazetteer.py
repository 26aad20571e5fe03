"""Simple models of entities: none at all, and a dictionary of those of the training rows (longest match first)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.data.tokens import words_of
from studio.evaluation.baseline import Baseline, Question
from studio.tasks.base import Prediction

_TRUSTED = 0.5
"""Share of a phrase's appearances in the training rows that have to be the entity, for it to be one elsewhere."""
_LONGEST = 12
"""Words of an entity that is kept."""


class Nothing(Baseline):
    """Finds no entity anywhere: what always saying the commonest tag comes to."""

    key = "no_entities"
    result = "tags"

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [{"entities": []} for _ in texts]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Nothing:
        return cls()


class Gazetteer(Baseline):
    """Marks what was an entity in the training rows. `entries` maps words (lower case, joined by blanks) to a type."""

    key = "dictionary"
    result = "tags"

    def __init__(self, entries: Mapping[str, str]) -> None:
        super().__init__(sorted(set(entries.values())))
        self.entries = dict(entries)
        self._longest = max((key.count(" ") + 1 for key in entries), default=0)

    @staticmethod
    def fit(texts: Sequence[str], truths: Sequence[Sequence[Sequence[Any]]]) -> Gazetteer:
        """`truths` are [start, end, type] of each text. A phrase that is mostly no entity is left out."""
        types: dict[str, Counter[str]] = defaultdict(Counter)
        for text, truth in zip(texts, truths, strict=True):
            for start, end, kind in truth:
                words = _phrase(text[start:end])
                if 0 < len(words) <= _LONGEST:
                    types[" ".join(words)][kind] += 1
        entries = {phrase: min(counts, key=lambda kind: (-counts[kind], kind)) for phrase, counts in types.items()}
        right: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        trial = Gazetteer(entries)
        for text, truth in zip(texts, truths, strict=True):
            true = {(start, end, kind) for start, end, kind in truth}
            for one in trial.found(text):
                phrase = " ".join(_phrase(one["text"]))
                seen[phrase] += 1
                right[phrase] += (one["start"], one["end"], one["type"]) in true
        return Gazetteer({key: kind for key, kind in entries.items() if right[key] >= _TRUSTED * max(seen[key], 1)})

    def found(self, text: str) -> list[dict[str, Any]]:
        """The entities of a text, the longest match first at each word."""
        spans = words_of(text)
        words = [text[span.start : span.end].casefold() for span in spans]
        entities: list[dict[str, Any]] = []
        place = 0
        while place < len(words):
            for length in range(min(self._longest, len(words) - place), 0, -1):
                kind = self.entries.get(" ".join(words[place : place + length]))
                if kind is not None:
                    start, end = spans[place].start, spans[place + length - 1].end
                    entities.append({"text": text[start:end], "type": kind, "start": start, "end": end})
                    place += length
                    break
            else:
                place += 1
        return entities

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [{"entities": self.found(text or "")} for text in texts]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"entries": self.entries}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Gazetteer:
        return cls(facts["entries"])


def _phrase(text: str) -> list[str]:
    return [text[span.start : span.end].casefold() for span in words_of(text)]
