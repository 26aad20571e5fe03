"""Seeded copies of texts with the small faults people make: what a score is worth away from clean data."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

RATE = 0.15
"""Share of the words (for typos: of the longer ones) that a copy changes."""
_LONG = 4
"""Letters from which a word is still read with one fault in it."""
_PIECES = re.compile(r"\s+|[^\W\d_]+|\d+|.", re.DOTALL)
# Scripts without spaces between words: each character is a piece.
_IDEOGRAPH = re.compile(r"[぀-ヿ㐀-鿿豈-﫿]")


def noisy(texts: Sequence[str], kind: str, seed: int) -> list[str]:
    """A copy of each text with faults of one of KINDS; the same seed gives the same copy. Never an empty text."""
    change = KINDS[kind]
    found = []
    for number, text in enumerate(texts):
        changed = change(text, random.Random(f"{seed}-{kind}-{number}"))
        found.append(changed if changed.strip() else text)
    return found


def _pieces(text: str) -> list[str]:
    """Words, spaces and marks; joined they are the text again."""
    return [part for piece in _PIECES.findall(text) for part in (piece if _IDEOGRAPH.search(piece) else [piece])]


def _words(pieces: Sequence[str]) -> list[int]:
    return [place for place, piece in enumerate(pieces) if piece[0].isalnum()]


def _typos(text: str, chance: random.Random) -> str:
    pieces = _pieces(text)
    words = _words(pieces)
    for place in words:
        word = pieces[place]
        if len(word) >= _LONG and chance.random() < RATE:
            pieces[place] = _mistyped(word, chance)
    if not any(len(pieces[place]) >= _LONG for place in words):
        return _swapped(text, chance)
    return "".join(pieces)


def _mistyped(word: str, chance: random.Random) -> str:
    """One letter lost, doubled, or exchanged with the next; the first stays, as fingers mostly hit it."""
    at = chance.randrange(1, len(word) - 1)
    return chance.choice(
        (word[:at] + word[at + 1 :], word[: at + 1] + word[at:], word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    )


def _case(text: str, chance: random.Random) -> str:
    return chance.choice((str.upper, str.lower, str.title))(text)


def _dropped(text: str, chance: random.Random) -> str:
    pieces = _pieces(text)
    gone = {place for place in _words(pieces) if chance.random() < RATE}
    return re.sub(r"  +", " ", "".join(piece for place, piece in enumerate(pieces) if place not in gone))


def _swapped(text: str, chance: random.Random) -> str:
    pieces = _pieces(text)
    words = _words(pieces)
    place = 0
    while place < len(words) - 1:
        if chance.random() < RATE:
            left, right = words[place], words[place + 1]
            pieces[left], pieces[right] = pieces[right], pieces[left]
            place += 1  # a word that has just moved stays where it is
        place += 1
    return "".join(pieces)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "typos": _typos,
    "case": _case,
    "dropped": _dropped,
    "swapped": _swapped,
}
