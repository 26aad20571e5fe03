"""Simple models of questions about a text: no answer at all, the sentence most like the question, a part of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from studio.data.tokens import Span, words_of
from studio.evaluation.baseline import Baseline
from studio.tasks.base import Prediction, Row

_SENTENCE = re.compile(r"[^.!?。！？；\n]*(?:[.!?](?!\s|$)[^.!?。！？；\n]*)*[.!?。！？；\n]*")
_NUMBER = re.compile(
    r"\b(how (many|much|long|old|far|large|big|tall)|when|what year|which year|what percent\w*|what date)\b"
    r"|多少|几|哪年|哪一年|何时|什么时候|多大|多长|多高|多久|百分之"
)
"""Questions that ask for a number or a date."""
_MOST_WORDS = 5000


class NoAnswer(Baseline):
    """Says of every text that it holds no answer."""

    key = "no_answer"
    result = "spans"
    whole_rows = True

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        return [_none() for _ in rows]

    def _write(self, folder: Path) -> dict[str, Any]:
        return {}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> NoAnswer:
        return cls()


class Sentence(Baseline):
    """The sentence that shares the rarest words with the question; `idf` is how rare words are in the training texts.
    The baseline of SQuAD's paper (sliding window, Richardson et al. 2013) in its simplest form."""

    key = "sentence"
    result = "spans"
    whole_rows = True

    def __init__(self, idf: Mapping[str, float]) -> None:
        super().__init__()
        self.idf = dict(idf)
        self._unknown = max(self.idf.values(), default=1.0)

    @staticmethod
    def rarity(texts: Sequence[str]) -> dict[str, float]:
        """Inverse document frequencies of the commonest words."""
        different = list(dict.fromkeys(texts))
        counts = Counter(word for text in different for word in {_word(text, span) for span in words_of(text)})
        return {word: math.log(1 + len(different) / count) for word, count in counts.most_common(_MOST_WORDS)}

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        return [self._answer(row.get("question") or "", row.get("context") or "") for row in rows]

    def _answer(self, question: str, context: str) -> Prediction:
        place = self.nearest(question, context)
        return _none() if place is None else _part(context, *place)

    def nearest(self, question: str, context: str) -> tuple[int, int] | None:
        """The characters of that sentence; the first of equals, None for a text without words."""
        asked = {_word(question, span) for span in words_of(question)}
        found: list[tuple[float, int, tuple[int, int]]] = []
        for one in _SENTENCE.finditer(context):
            said = {_word(one.group(), span) for span in words_of(one.group())}
            if any(word.isalnum() for word in said):
                shared = sum(self.idf.get(word, self._unknown) for word in asked & said if word[0].isalnum())
                found.append((shared / math.sqrt(len(said) + 10), -one.start(), one.span()))
        return max(found)[2] if found else None

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"idf": self.idf}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Sentence:
        return cls(facts["idf"])


class Part(Sentence):
    """Of that sentence the run of words that the question does not have, no longer than answers usually are: the one
    next to the most words of the question, for a question that asks for a number one that holds a number."""

    key = "part"

    def __init__(self, idf: Mapping[str, float], length: int) -> None:
        super().__init__(idf)
        self.length = length

    @staticmethod
    def fit(rows: Sequence[Row], truths: Sequence[Sequence[Sequence[Any]]]) -> Part:
        """From rows and their answers [[text, start], ...]."""
        lengths = [len(words_of(str(found[0][0]))) for found in truths if found]
        idf = Sentence.rarity([row.get("context") or "" for row in rows])
        return Part(idf, max(1, math.ceil(1.5 * median(lengths))) if lengths else 3)

    def _answer(self, question: str, context: str) -> Prediction:
        place = self.nearest(question, context)
        if place is None:
            return _none()
        asked = {_word(question, span) for span in words_of(question)}
        words = [Span(place[0] + span.start, place[0] + span.end) for span in words_of(context[slice(*place)])]
        known = [_word(context, span) in asked or not context[span.start].isalnum() for span in words]
        wanted = _NUMBER.search(question.lower()) is not None
        runs = [(run, self._worth(run, words, known, context, wanted)) for run in self._runs(known)]
        if not runs:
            return _part(context, *place)
        first, last = max(runs, key=lambda one: (one[1], -one[0][0]))[0]
        return _part(context, words[first].start, words[last].end)

    def _runs(self, known: Sequence[bool]) -> list[tuple[int, int]]:
        """(first, last) word of each run of words that are new, long ones in parts of the usual length."""
        runs: list[tuple[int, int]] = []
        place = 0
        while place < len(known):
            last = place
            while last < len(known) and not known[last]:
                last += 1
            if last > place:
                runs += [(start, min(start + self.length, last) - 1) for start in range(place, last, self.length)]
            place = max(last, place) + 1
        return runs

    def _worth(
        self, run: tuple[int, int], words: Sequence[Span], known: Sequence[bool], context: str, number: bool
    ) -> float:
        """Rare words in it, words of the question near it, and a digit where one is asked for."""
        first, last = run
        rare = max(self.idf.get(_word(context, words[at]), self._unknown) for at in range(first, last + 1))
        beside = [at for at in (*range(first - 4, first), *range(last + 1, last + 5)) if 0 <= at < len(words)]
        near = sum(known[at] and context[words[at].start].isalnum() for at in beside)
        digits = any(letter.isdigit() for letter in context[words[first].start : words[last].end])
        wanted = 100.0 if number and digits else 0.0
        return float(rare + 0.5 * near + wanted)

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"idf": self.idf, "length": self.length}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Part:
        return cls(facts["idf"], facts["length"])


def _word(text: str, span: Span) -> str:
    return text[span.start : span.end].casefold()


def _none() -> Prediction:
    return {"text": "", "start": -1, "end": -1, "others": []}


def _part(context: str, start: int, end: int) -> Prediction:
    """The part without blanks and closing marks at its ends."""
    text = context[start:end]
    start += len(text) - len(text.lstrip())
    text = text.strip().rstrip(".!?。！？；").rstrip()
    return {"text": text, "start": start, "end": start + len(text), "others": []}
