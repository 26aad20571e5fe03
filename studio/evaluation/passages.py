"""Exact match and F1 of answers from a passage, as SQuAD scores them; Chinese and its like count by character.

Source: the evaluation script of SQuAD 2.0, with the punctuation of all scripts as in MLQA's.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from studio.data.tokens import UNSPACED

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_APART = re.compile(f"([{UNSPACED}])")


def plain_words(text: str) -> list[str]:
    """The words that are compared: lower case, without punctuation and English articles."""
    bare = "".join(one for one in unicodedata.normalize("NFKC", text).lower() if not _is_mark(one))
    return _APART.sub(r" \1 ", _ARTICLES.sub(" ", bare)).split()


def exact_match(answer: str, expected: Sequence[str]) -> float:
    """1 where the answer is one of the right ones, or is empty where there is none; else 0."""
    words = plain_words(answer)
    return float(any(words == plain_words(one) for one in expected or [""]))


def answer_f1(answer: str, expected: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over words, for the right answer that is nearest; 0 to 1."""
    words = plain_words(answer)
    return max(_overlap(words, plain_words(one)) for one in expected or [""])


def _overlap(words: Sequence[str], other: Sequence[str]) -> float:
    if not words or not other:
        return float(words == other)
    shared = sum((Counter(words) & Counter(other)).values())
    return 2 * shared / (len(words) + len(other))


def _is_mark(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character)[0] == "P"
