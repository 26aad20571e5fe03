"""Words that mark a label: much commoner in its rows than in all others, by log-odds with an informative prior.

Monroe, Colaresi & Quinn 2008, "Fightin' Words" (Political Analysis 16:372): the difference of the log-odds of a word,
smoothed by its frequency in all rows and divided by its standard error, so that neither rare words nor common ones win
by chance. A word counts once a row, so that no single row decides. Chinese is cut by jieba.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LOOKED_AT = 20_000
"""Rows that are looked at, spread evenly."""
WORDS = 8
MOST_LABELS = 12
_SURE = 1.96
"""z-score below which a word is chance."""
_PRIOR = 500.0
"""Weight of the prior, in words."""
_FEWEST = 3
"""Rows of the label in which a word has to stand."""
_READ = 3_000
"""Characters read of a text."""
_MOST_WORDS = 200_000
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_HAN = re.compile(r"[\u3400-\u9fff]")


class Marker(NamedTuple):
    """A word, its z-score, and in how many rows of the label and of all others it stands."""

    word: str
    z: float
    rows: int
    others: int


def markers(
    rows: Iterable[tuple[str, Sequence[str]]], most_labels: int = MOST_LABELS
) -> list[tuple[str, list[Marker]]]:
    """(label, its marking words, the surest first) of the commonest labels; `rows` are (text, its labels). A label
    that no word marks, or that every row has, is left out."""
    labels: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {}
    whole: Counter[str] = Counter()
    total = 0
    for text, names in rows:
        words = words_in(text)
        whole.update(words)
        total += 1
        for label in dict.fromkeys(names):
            labels[label] += 1
            counts.setdefault(label, Counter()).update(words)
        if len(whole) > _MOST_WORDS:
            _forget_rare(counts, whole)
    found = []
    for label, held in labels.most_common(most_labels):
        marking = _marking(counts[label], whole) if held < total else []
        if marking:
            found.append((label, marking[:WORDS]))
    return found


def words_in(text: str) -> set[str]:
    """The words of a text, case folded; Chinese ones have two characters at least, others two letters."""
    found: set[str] = set()
    for match in _WORD.finditer(text[:_READ].casefold()):
        if not _HAN.search(match[0]):
            found.add(match[0])
            continue
        import rjieba

        found.update(word for word in rjieba.cut(match[0]) if word.strip())
    return {word for word in found if len(word) > 1}


def _marking(mine: Counter[str], whole: Counter[str]) -> list[Marker]:
    total, all_mine = whole.total(), mine.total()
    others = total - all_mine
    found = []
    for word, hits in mine.items():
        if hits < _FEWEST or whole[word] == total:  # the only word there is marks nothing
            continue
        prior = _PRIOR * whole[word] / total
        rest = whole[word] - hits
        odds = math.log((hits + prior) / (all_mine + _PRIOR - hits - prior))
        against = math.log((rest + prior) / (others + _PRIOR - rest - prior))
        z = (odds - against) / math.sqrt(1 / (hits + prior) + 1 / (rest + prior))
        if z >= _SURE:
            found.append(Marker(word, round(z, 2), hits, rest))
    return sorted(found, key=lambda marker: (-marker.z, marker.word))


def _forget_rare(counts: dict[str, Counter[str]], whole: Counter[str]) -> None:
    """Words that stood once so far mark nothing, and there is no end of them."""
    once = {word for word, count in whole.items() if count == 1}
    for words in (whole, *counts.values()):
        for word in once & words.keys():
            del words[word]
