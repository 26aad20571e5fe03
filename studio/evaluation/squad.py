"""How near an answer is to the known ones: exact match and F1 of words, as SQuAD counts them.

Rajpurkar et al. (2016), evaluate-v1.1.py, and (2018), evaluate-v2.0.py: lower case, without punctuation, the articles
"a", "an", "the" and surplus blanks; of several known answers the nearest counts. As in MLQA (Lewis et al. 2020) all
punctuation of Unicode is left out, and a character of a script without spaces is a word of its own, which for Chinese
is what CMRC 2018 (Cui et al. 2019) counts.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from studio.data.tokens import UNSPACED

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PIECES = re.compile(f"[{UNSPACED}]|[^{UNSPACED}\\s]+")


def words(text: str) -> list[str]:
    """The words of an answer that are compared."""
    low = text.lower()
    plain = "".join(one for one in low if one not in string.punctuation and unicodedata.category(one)[0] != "P")
    return _PIECES.findall(_ARTICLES.sub(" ", plain))


def exact(answer: str, truth: str) -> float:
    """1 where both are the same words, else 0."""
    return float(words(answer) == words(truth))


def f1(answer: str, truth: str) -> float:
    """The harmonic mean of the shares of words that are in the other one, too; 1 where neither has any."""
    said, known = words(answer), words(truth)
    if not said or not known:
        return float(said == known)
    shared = sum((Counter(said) & Counter(known)).values())
    return 2 * shared / (len(said) + len(known))


def against(answer: str, truths: Sequence[str]) -> tuple[float, float]:
    """(exact, F1) of an answer, each against the nearest of the known ones; without any, "" is right."""
    known = list(truths) or [""]
    return max(exact(answer, truth) for truth in known), max(f1(answer, truth) for truth in known)


def threshold(none: Sequence[float], gained: Sequence[float], empty: Sequence[bool]) -> float:
    """From which probability of "no answer" on none is given, so that the mean F1 is the highest: `none` is that
    probability a row, `gained` the F1 of its likeliest answer, `empty` whether none is right. Of thresholds that are as
    good the one nearest to one half."""
    order = np.argsort(np.asarray(none, np.float64), kind="stable")
    chance = np.asarray(none, np.float64)[order]
    # With the first k rows answered, the others not.
    answered = np.concatenate([[0.0], np.cumsum(np.asarray(gained, np.float64)[order])])
    left = np.concatenate([np.cumsum(np.asarray(empty, np.float64)[order][::-1])[::-1], [0.0]])
    edges = np.concatenate([[0.0], chance, [1.0]])
    total = answered + left
    best = [
        min(max(0.5, edges[k] + 1e-9), edges[k + 1])
        for k in np.flatnonzero(total >= total.max() - 1e-9)
        if edges[k] < edges[k + 1]
    ]
    return float(min(best, key=lambda one: abs(one - 0.5))) if best else 0.5
