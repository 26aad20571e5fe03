"""More training rows from those there are: texts altered a little, their labels kept (Wei and Zou 2019,
arXiv:1901.11196; insertion of marks: Karimi et al. 2021, arXiv:2108.13230).

Only training rows are ever altered, what is altered is the same in every process for the same seed, and no copy says
what a row that is held back says. Whether it helps is a question to measure, not to assume.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from studio.data.split import normalised
from studio.data.steps.base import drawn

if TYPE_CHECKING:
    from studio.data.lexicon import Lexicon
    from studio.tasks.base import Row, Task

KINDS = ("off", "insert", "swap", "delete", "keyboard", "case", "mixed", "synonyms", "context")
SOURCED = ("synonyms", "context")
"""Kinds that take other words from somewhere."""
MIXED = ("insert", "swap", "delete", "keyboard", "case")
_TRIES = 3
_MARKS = {True: ".,;:?!", False: "，。；：？！"}
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
Span = tuple[int, int]


class Filler(Protocol):
    """A model that says which words could stand in the place of others (`studio.inference.filling`)."""

    def candidates(self, text: str, places: Sequence[Span]) -> list[list[str]]: ...


Edit = Callable[[str, Sequence[Span]], "tuple[str, list[Span]]"]
"""(text, spans that stay as they are) -> (the altered text, where those spans are in it)."""


@dataclass(frozen=True)
class Growth:
    """What is asked for. `share` of the words are altered, each row gets up to `copies` altered copies, and a label
    that has `most` rows gets no more (0: no limit)."""

    kind: str = "off"
    copies: int = 1
    share: float = 0.1
    most: int = 0


def grown(
    task: Task,
    train: Sequence[Row],
    held: Iterable[Row],
    growth: Growth,
    seed: int,
    source: Lexicon | Filler | None = None,
) -> list[tuple[int, Row]]:
    """(place of the row in `train`, altered copy) of the further training rows, copy after copy over all rows.

    `held` are the rows of the other parts: no copy says what one of them says. `source` is where other words come
    from: the lexicon of "synonyms", the model of "context". Empty for kind "off", for those two without one, and for
    tasks that declare no text that may be altered.
    """
    if growth.kind == "off" or not task.alterable or (growth.kind in SOURCED and source is None):
        return []
    taken = {normalised(task.question(row)) for row in [*held, *train]}
    counts = Counter(_label(task, row) for row in train)
    found: list[tuple[int, Row]] = []
    for copy in range(growth.copies):
        for place, row in enumerate(train):
            label = _label(task, row)
            if growth.most and counts[label] >= growth.most:
                continue
            for turn in range(_TRIES):
                draw = random.Random(drawn(seed, (place * growth.copies + copy) * _TRIES + turn))
                made = task.altered(row, editor(growth.kind, growth.share, draw, source))
                said = normalised(task.question(made)) if made else ""
                if made and said and said not in taken:
                    taken.add(said)
                    counts[label] += 1
                    found.append((place, made))
                    break
    return found


def label_sizes(task: Task, train: Iterable[Row]) -> list[int]:
    """Rows of each label, by which `Growth.most` counts; for tasks without one label a row, of all together."""
    return list(Counter(_label(task, row) for row in train).values())


def _label(task: Task, row: Row) -> str:
    return (task.truth(row) or "") if task.result == "labels" else ""


def editor(kind: str, share: float, draw: random.Random, source: Lexicon | Filler | None = None) -> Edit:
    """What alters one text; `mixed` draws a kind for each."""

    def edit(text: str, fixed: Sequence[Span] = ()) -> tuple[str, list[Span]]:
        chosen = draw.choice(MIXED) if kind == "mixed" else kind
        free = [word for word in words_of(text) if not any(_meet(word, span) for span in fixed)]
        count = min(len(free), max(1, round(share * len(free))))
        changes = _CHANGES[chosen](text, free, count, draw, source) if free else []
        # The space before a word that goes may belong to a span.
        return applied(text, [one for one in changes if not any(_meet(one[:2], span) for span in fixed)], fixed)

    return edit


def applied(text: str, changes: Iterable[tuple[int, int, str]], spans: Sequence[Span]) -> tuple[str, list[Span]]:
    """The text with (start, end, instead) put in, overlapping neither each other nor a span; where the spans are."""
    ordered = sorted(changes)
    parts, last = [], 0
    for start, end, instead in ordered:
        parts += [text[last:start], instead]
        last = end
    moved = []
    for start, end in spans:
        shift = sum(len(instead) - (until - begin) for begin, until, instead in ordered if until <= start)
        moved.append((start + shift, end + shift))
    return "".join([*parts, text[last:]]), moved


def words_of(text: str) -> list[Span]:
    """Where the words stand; Chinese is cut by jieba."""
    found: list[Span] = []
    for match in _WORD.finditer(text):
        start = match.start()
        if not _CHINESE.search(match[0]):
            found.append(match.span())
            continue
        import rjieba

        for word in rjieba.cut(match[0]):
            found.append((start, start + len(word)))
            start += len(word)
    return found


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _insert(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Marks of punctuation before words: what is said and its order stay."""
    found = []
    for start, end in draw.sample(free, count):
        latin = text[start:end].isascii()
        found.append((start, start, draw.choice(_MARKS[latin]) + (" " if latin else "")))
    return found


def _swap(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Two words change places, as often as asked, each once."""
    if len(free) < 2:
        return []
    chosen = draw.sample(free, min(2 * count, len(free) // 2 * 2))
    found = []
    for (start, end), (begin, until) in zip(chosen[::2], chosen[1::2], strict=True):
        found += [(start, end, text[begin:until]), (begin, until, text[start:end])]
    return found


def _delete(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Words go, each with the space before it; one always stays."""
    found = []
    for start, end in draw.sample(free, min(count, len(free) - 1)):
        found.append((start - 1 if start and text[start - 1] == " " else start, end, ""))
    return found


def _keyboard(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """A slip a word: a Latin letter becomes its neighbour on the keyboard; in other scripts two neighbouring characters
    change places, or one is written twice where there is only one."""
    found = []
    for start, end in draw.sample(free, count):
        word = text[start:end]
        letters = [place for place, letter in enumerate(word) if letter.lower() in _NEAR]
        if letters:
            place = draw.choice(letters)
            near = draw.choice(_NEAR[word[place].lower()])
            found.append((start + place, start + place + 1, near.upper() if word[place].isupper() else near))
        elif len(word) > 1:
            place = draw.randrange(len(word) - 1)
            found.append((start + place, start + place + 2, word[place + 1] + word[place]))
        else:
            found.append((start, end, word + word))
    return found


def _case(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Letter case of words; where there is none, punctuation in full or half width, as careless typing leaves it."""
    cased = [span for span in free if text[slice(*span)].lower() != text[slice(*span)].upper()]
    if cased:
        turns: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.title, str.swapcase)
        return [
            (start, end, draw.choice(turns)(text[start:end]))
            for start, end in draw.sample(cased, min(count, len(cased)))
        ]
    allowed = _allowed(text, free)
    places = [place for place, letter in enumerate(text) if letter in _WIDTH and place in allowed]
    return [(place, place + 1, _WIDTH[text[place]]) for place in draw.sample(places, min(count, len(places)))]


def _allowed(text: str, free: list[Span]) -> set[int]:
    """Places next to words that may be altered: punctuation inside a kept span has to stay."""
    return {place for start, end in free for place in (start - 1, end)}


def _synonyms(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Words become others of the same meaning."""
    known = [(span, others) for span in free if (others := source.synonyms(text[slice(*span)]))]
    return [(*span, draw.choice(others)) for span, others in draw.sample(known, min(count, len(known)))]


def _context(text: str, free: list[Span], count: int, draw: random.Random, source: Any) -> list[tuple[int, int, str]]:
    """Words become others that a masked language model finds likely there."""
    places = sorted(draw.sample(free, count))
    found = zip(places, source.candidates(text, places), strict=True)
    return [(*span, draw.choice(others)) for span, others in found if others]


def _neighbours() -> dict[str, str]:
    """Letter -> those beside it on a QWERTY keyboard, whose lower rows stand a quarter and three quarters further."""
    shift = (0.0, 0.25, 0.75)
    keys = {
        letter: (row, place + shift[row]) for row, letters in enumerate(_ROWS) for place, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other
            for other, (up, along) in keys.items()
            if other != letter and abs(up - row) <= 1 and abs(along - place) <= 1.0
        )
        for letter, (row, place) in keys.items()
    }


_NEAR = _neighbours()
_WIDE = dict(zip("，。！？；：（）", ",.!?;:()", strict=True))
_WIDTH = {**_WIDE, **{narrow: wide for wide, narrow in _WIDE.items()}}
_CHANGES: dict[str, Callable[..., list[tuple[int, int, str]]]] = {
    "insert": _insert, "swap": _swap, "delete": _delete, "keyboard": _keyboard, "case": _case, "synonyms": _synonyms,
    "context": _context,
}  # fmt: skip
