"""Answers that are parts of a text, as they stand in a cell: read in the forms people keep them in, and found in the
text they are taken from.

Read: the answer itself beside a column with its place, {"text": [...], "answer_start": [...]} as `datasets` has it, a
list of {"text", "answer_start"} as SQuAD has it, and a list of answers. No answer at all means that the text holds
none.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LEFT_OUT = ("answers_unreadable", "answers_absent")
"""Faults for which a row cannot be learnt from."""
_EXAMPLES = 5
_SHOWN = 60
_YES = frozenset({"true", "1", "yes", "y", "t", "是", "真"})
_NUMPY = re.compile(r"array\(|,?\s*dtype=[\w.]+\)")
"""What pandas writes around the lists of a cell when it saves them as CSV."""


class Answer(NamedTuple):
    """An answer and where it begins in its text, in characters; -1 where it does not stand there."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends, that character not included; -1 where it does not stand there."""
        return self.start + len(self.text) if self.start >= 0 else -1


@dataclass
class Reading:
    """What the cells of a row say: the answers, the first one of which is learnt (none: the text holds no answer), and
    (code, values) of what is wrong with them."""

    answers: list[Answer] = field(default_factory=list)
    faults: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the row can be learnt from."""
        return not any(code in LEFT_OUT for code, _ in self.faults)


def read(context: str, cell: str | None, start: str | None = None, impossible: str | None = None) -> Reading:
    """The answers that a row's cells name; nothing is raised, what is wrong is told.

    An answer that does not stand at its place is looked for: the occurrence nearest to the place counts.
    """
    found = Reading()
    if (impossible or "").strip().casefold() in _YES:
        return found
    given = _given(context, cell or "", (start or "").strip())
    if given is None:
        found.faults.append(("answers_unreadable", {"cell": (cell or "")[:_SHOWN]}))
        return found
    absent: list[Answer] = []
    for text, place in given:
        if not text.strip():
            continue
        answer = _placed(context, text, place, found)
        if answer.start < 0:
            absent.append(answer)
        elif answer not in found.answers:
            found.answers.append(answer)
    if absent and not found.answers:
        found.faults.append(("answers_absent", {"answer": absent[0].text[:_SHOWN]}))
    elif absent:
        found.answers += absent
    return found


def looks_like_answers(cells: Sequence[str]) -> bool:
    """Whether cells (a sample, none empty) hold answers with their places, in a form that nothing else has."""
    return bool(cells) and all(_shaped(cell) for cell in cells)


def _shaped(cell: str) -> bool:
    # Examples of a profile are cut; what is left begins the same.
    return (
        re.match(r"\s*(\{\s*['\"](text|answer_start)['\"]|\[\s*\{\s*['\"](text|answer_start)['\"])", cell) is not None
    )


def problems(rows: Sequence[Mapping[str, str | None]]) -> dict[str, tuple[int, list[tuple[int, str]], dict[str, Any]]]:
    """Faults by code: how many rows have it, (number from 1, question) of the first, and the values of the very first
    with its `row`; those that cost rows first."""
    told: dict[str, tuple[int, list[tuple[int, str]], dict[str, Any]]] = {}
    for number, row in enumerate(rows, 1):
        if not (row.get("context") or "").strip():
            continue
        for code, values in dict(reversed(reading_of(row).faults)).items():
            count, examples, first = told.get(code, (0, [], {"row": number, **values}))
            shown = [(number, (row.get("question") or "")[:160])] if len(examples) < _EXAMPLES else []
            told[code] = (count + 1, [*examples, *shown], first)
    return dict(sorted(told.items(), key=lambda item: (item[0] not in LEFT_OUT, -item[1][0])))


def reading_of(row: Mapping[str, str | None]) -> Reading:
    """`read` for a row by role."""
    return read(row.get("context") or "", row.get("answers"), row.get("start"), row.get("impossible"))


def _given(context: str, cell: str, start: str) -> list[tuple[str, int | None]] | None:
    """(answer, its place or None) as the cells say it; None where they cannot be read."""
    plain = cell.strip()
    value = _value(plain) if plain[:1] in ("[", "{") else None
    if value is None:
        # "[3]" may well be an answer in itself.
        return [(cell, _whole(start))] if plain[:1] not in ("[", "{") or plain in context else None
    if isinstance(value, Mapping):
        texts, starts = _listed(value.get("text")), _listed(value.get("answer_start", value.get("start")))
    elif all(isinstance(one, Mapping) for one in value):
        texts = [one.get("text") for one in value]
        starts = [one.get("answer_start", one.get("start")) for one in value]
    else:
        texts, starts = list(value), _listed(_value(start) if start[:1] == "[" else start or None)
    if not all(isinstance(text, (str, int, float)) for text in texts) or (starts and len(starts) != len(texts)):
        return None
    return [(str(text), _whole(place)) for text, place in zip(texts, starts or [None] * len(texts), strict=True)]


def _value(cell: str) -> Any:
    """The list or object in a cell: JSON, as Python writes it, or as numpy does; None for anything else."""
    for text in (cell, _NUMPY.sub("", cell)):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            try:
                found = ast.literal_eval(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
        return found if isinstance(found, (list, dict)) else None
    return None


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _whole(value: Any) -> int | None:
    try:
        return int(float(value)) if not isinstance(value, bool) and str(value).strip() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _placed(context: str, text: str, place: int | None, found: Reading) -> Answer:
    """The answer where it stands: at its place, else the nearest of its occurrences; told where that was needed."""
    answer = text.strip()
    told = None if place is None else place + len(text) - len(text.lstrip())
    if told is not None and told >= 0 and context[told : told + len(answer)] == answer:
        return Answer(answer, told)
    places = _occurrences(context, answer)
    if not places:
        return Answer(answer, -1)
    start, end = places[0] if told is None else min(places, key=lambda one: (abs(one[0] - told), one[0]))
    if told is not None:
        values = {"answer": answer[:_SHOWN], "told": told, "start": start}
        found.faults.append(("answers_moved", values))
    elif len(places) > 1:
        found.faults.append(("answers_several", {"answer": answer[:_SHOWN], "times": len(places)}))
    return Answer(context[start:end], start)


def _occurrences(context: str, answer: str) -> list[tuple[int, int]]:
    """Where an answer stands in a text; where it does nowhere as it is, letter case and the width of gaps aside. As a
    whole word where it does so anywhere: "us" is not meant in "because"."""
    loose = r"\s+".join(re.escape(part) for part in answer.split())
    for pattern, flags in ((re.escape(answer), 0), (loose, re.IGNORECASE)):
        places = [one.span() for one in re.finditer(pattern, context, flags)]
        if places:
            return [one for one in places if not _torn(context, *one)] or places
    return []


def _torn(context: str, start: int, end: int) -> bool:
    """Whether a part begins or ends inside a word of a script with spaces."""

    def inside(place: int) -> bool:
        around = context[place - 1 : place + 1]
        return (
            0 < place < len(context) and len(around) == 2 and all(one.isalnum() and ord(one) < 0x2E80 for one in around)
        )

    return inside(start) or inside(end)
