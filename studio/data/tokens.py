"""Where the words of a text begin and end, for tasks that mark parts of it: whatever the script, without a model.

A word is a run of letters, digits and their marks; a character of a script written without spaces (Chinese, Japanese
kana, Thai, Lao, Khmer, Burmese) is a word of its own, and so is every other visible character. The same text has the
same words in training, in tests and in the playground, whichever tokenizer a model has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
"""Scripts without spaces between words, as the inside of a character class."""
_UNSPACED = re.compile(f"[{UNSPACED}]")


class Span(NamedTuple):
    """Characters [start, end) of a text."""

    start: int
    end: int


@cache
def _pattern() -> re.Pattern[str]:
    # Vowel signs and accents are no "\w" for Python, yet they belong to the letter before them.
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"(?:(?![{UNSPACED}_])\w|[{marks}])"
    return re.compile(rf"[{UNSPACED}][{marks}]*|{letter}+|\S")


def words_of(text: str) -> list[Span]:
    """The words of `text` in order."""
    return [Span(*found.span()) for found in _pattern().finditer(text)]


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script written without spaces."""
    return _UNSPACED.match(character) is not None


def spaced(text: str) -> tuple[str, list[int]]:
    """`text` with a blank at both sides of every word of an unspaced script, and the place in `text` of each of its
    characters.

    Many tokenizers join such characters into pieces that a name may begin in the middle of; a blank keeps them apart,
    so that every word begins a token of its own.
    """
    made: list[str] = []
    places: list[int] = []
    end = -1
    alone = False
    for word in words_of(text):
        unspaced = is_unspaced(text[word.start])
        if end >= 0:
            between = text[end : word.start] or (" " if alone or unspaced else "")
            made.append(between)
            places += [min(end + step, word.start) for step in range(len(between))]
        elif word.start:
            made.append(text[: word.start])
            places += range(word.start)
        made.append(text[word.start : word.end])
        places += range(word.start, word.end)
        end, alone = word.end, unspaced
    return "".join(made), places


def joined(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """The text that tokens make and where each of them stands in it: a blank between two of them, but none beside a
    character of an unspaced script. Blanks inside a token stay."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    for token in tokens:
        last = parts[-1][-1:] if parts else ""
        if last and token and not (is_unspaced(last) or is_unspaced(token[0])):
            parts.append(" ")
            length += 1
        spans.append(Span(length, length + len(token)))
        parts.append(token)
        length += len(token)
    return "".join(parts), spans
