"""Shortcuts: a word, or nothing but the length, that alone tells the label. A model learns those and nothing else."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.data.doctor.base import EXAMPLES, SHOWN, Case, Finding, Told, findings
from studio.data.mending import Chosen
from studio.data.steps.base import PLACE
from studio.problem import Problem

if TYPE_CHECKING:
    import polars as pl

_WORD = re.compile(r"[^\W\d_][\w'-]*|\d+|[^\w\s]{2,}")
_FEWEST = 20
"""Rows of a label below which one word in all of them is chance."""
_PRECISION, _RECALL = 0.98, 0.9
_AUC = 0.98
_MOST_LABELS = 50
_HAN = re.compile(r"[\u3400-\u9fff]{2,}")


class Shortcuts(Finding):
    key = "shortcut_word"
    order = 32
    covers = ("shortcut_length",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._words: dict[str, Counter[str]] = defaultdict(Counter)
        self._lengths: dict[str, list[int]] = defaultdict(list)
        self._examples: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        self._able = bool(case.label and case.asked)

    def see(self, frame: pl.DataFrame) -> None:
        if not self._able:
            return
        for place, text, label in frame.select(PLACE, self.case.asked[0], self.case.label).iter_rows():
            if place % self.case.stride or not text or not label or not label.strip():
                continue
            self._lengths[label].append(len(text))
            for word in _words(text):
                self._words[word][label] += 1
                shown = self._examples[label, word]
                if len(shown) < EXAMPLES:
                    shown.append((place + 1, f"{text[: SHOWN - 40]} → {label}"))
        if len(self._words) > 500_000:
            # Words that stood once so far are no shortcut, and there is no end of them.
            self._words = defaultdict(Counter, {w: c for w, c in self._words.items() if c.total() > 1})
            self._examples = defaultdict(list, {k: v for k, v in self._examples.items() if k[1] in self._words})

    def told(self) -> Iterator[Told]:
        if not 2 <= len(self._lengths) <= _MOST_LABELS:
            return
        for label, lengths in sorted(self._lengths.items()):
            if len(lengths) >= _FEWEST:
                yield from self._word(label, len(lengths))
        yield from self._length()

    def _word(self, label: str, rows: int) -> Iterator[Told]:
        """The word that most surely stands in the rows of this label and in no others."""
        best: tuple[int, str] | None = None
        for word, counts in self._words.items():
            hits = counts[label]
            if hits >= _RECALL * rows and hits >= _PRECISION * counts.total() and (best is None or hits > best[0]):
                best = hits, word
        if best is not None:
            hits, word = best
            values = {"word": word, "label": label, "share": round(100 * hits / rows)}
            shown = tuple(self._examples[label, word])
            problem = Problem(self.key, "warning", self.case.field(self.case.asked[0]), hits, shown, values)
            plain = bool(re.fullmatch(r"[A-Za-z0-9']+", word))
            find = rf"\b{re.escape(word)}\b" if plain else word
            options = {"columns": [self.case.asked[0]], "find": find, "instead": "", "pattern": plain, "any_case": True}
            yield Told(problem, (Chosen("replace", options),))

    def _length(self) -> Iterator[Told]:
        """A label whose texts are all longer, or all shorter, than those of the other labels."""
        for label, lengths in sorted(self._lengths.items()):
            others = [length for other, found in self._lengths.items() if other != label for length in found]
            if len(lengths) < _FEWEST or len(others) < _FEWEST:
                continue
            longer = _auc(lengths, others)
            if max(longer, 1 - longer) >= _AUC:
                values = {"label": label, "how_code": f"data.{'longer' if longer > 0.5 else 'shorter'}"}
                yield Told(Problem("shortcut_length", "warning", "columns.label", len(lengths), values=values))
                # With two labels the other one is the same finding.
                return


def _words(text: str) -> set[str]:
    words = set(_WORD.findall(text.lower()[:5_000]))
    for run in _HAN.findall(text[:5_000]):
        words |= {run[place : place + 2] for place in range(len(run) - 1)}
    return words


def _auc(ones: list[int], others: list[int]) -> float:
    """The chance that one of the first is longer than one of the second; equal lengths count half."""
    counts = Counter(others)
    smaller, passed, below = 0.0, 0, {}
    for length in sorted({*ones, *others}):
        below[length] = passed + counts[length] / 2
        passed += counts[length]
    for length in ones:
        smaller += below[length]
    return smaller / (len(ones) * len(others))


findings.register(Shortcuts)
