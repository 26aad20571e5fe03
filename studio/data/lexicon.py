"""Synonyms from Princeton WordNet (Miller 1995), where its files are on the machine: Debian's `wordnet-base`, or a
folder named in WNSEARCHDIR as WordNet's own programs know it. No list of words is written by hand here.

A word gets the other words of its commonest sense, as WordNet counted senses in running text. Only English: no Chinese
lexicon that may be passed on was found to come as a package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

PARTS = ("noun", "verb", "adj", "adv")
PLACES = (
    "/usr/share/wordnet",
    "/usr/local/share/wordnet",
    "/usr/local/WordNet-3.0/dict",
    "/opt/homebrew/opt/wordnet/dict",
)
NAME, LICENCE = "Princeton WordNet", "WordNet License"
_SHORTEST = 3


def folder() -> Path | None:
    """Where WordNet's files are, or None."""
    named = os.environ.get("WNSEARCHDIR", "")
    for place in (named, *PLACES):
        if place and all((Path(place) / f"{kind}.{part}").is_file() for kind in ("index", "data") for part in PARTS):
            return Path(place)
    return None


class Lexicon:
    """Word -> its synonyms, both in lower case; read once, some ten megabytes."""

    def __init__(self, place: Path) -> None:
        best: dict[str, tuple[int, str, int]] = {}
        for part in PARTS:
            for lemma, counted, sense in _lemmas(place / f"index.{part}"):
                if lemma not in best or counted > best[lemma][0]:
                    best[lemma] = (counted, part, sense)
        senses = {part: dict(_senses(place / f"data.{part}")) for part in PARTS}
        self._words: dict[str, tuple[str, ...]] = {}
        for lemma, (_, part, sense) in best.items():
            others = tuple(word for word in senses[part].get(sense, ()) if word.lower() != lemma)
            # A name is no word to say something else with.
            if others and not any(word[:1].isupper() for word in senses[part][sense]):
                self._words[lemma] = others

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Other words for a word, none where it is not known or has to stay; the word's own case is kept."""
        plain = word.lower()
        if len(plain) < _SHORTEST or plain in _kept():
            return ()
        found = self._words.get(plain, ())
        if word.isupper() and len(word) > 1:
            return tuple(one.upper() for one in found)
        return tuple(one[:1].upper() + one[1:] for one in found) if word[:1].isupper() else found

    def coverage(self, words: list[str]) -> float:
        """The share of the words with a meaning of their own (stop words aside) that have a synonym; 0 for none."""
        counted = [word for word in words if len(word) >= _SHORTEST and word.lower() not in _kept()]
        return sum(bool(self.synonyms(word)) for word in counted) / len(counted) if counted else 0.0


@lru_cache(maxsize=1)
def read(place: Path) -> Lexicon:
    """The lexicon of a folder, read once a process."""
    return Lexicon(place)


@lru_cache(maxsize=1)
def _kept() -> frozenset[str]:
    import stopwordsiso

    return frozenset(stopwordsiso.stopwords("en"))


def _lemmas(path: Path) -> Iterator[tuple[str, int, int]]:
    """(single word, how often its senses were counted, its first sense's offset): a line is "lemma pos n p ptrs... n
    counted offsets...", the licence stands in lines that begin with a space."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.split()
            if not line.startswith(" ") and len(parts) > 6 and parts[0].isalpha():
                first = 4 + int(parts[3]) + 2
                yield parts[0], int(parts[first - 1]), int(parts[first])


def _senses(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(offset, its single words): a line is "offset file type words-in-hex word id word id ...", "(p)" is syntax."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith(" "):
                parts = line.split(" ", 4 + 2 * 40)
                words = [word.partition("(")[0] for word in parts[4 : 4 + 2 * int(parts[3], 16) : 2]]
                yield int(parts[0]), tuple(word for word in words if word.isalpha())
