"""Answers that stand in a passage, as they stand in a cell: read in the forms people keep them in, written in one.

Written: SQuAD's {"text": [...], "answer_start": [...]} as JSON, both lists empty where the passage does not answer. Read:
that, lists of answers, and the plain words of one answer, whose place is then looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from studio.problem import Problem

_STARTS = ("answer_start", "start", "answer_starts", "start_offset")
LEFT_OUT = ("answers_unreadable", "answers_empty", "answers_absent", "answers_ambiguous")
"""Faults for which a row cannot be learnt from."""
_EXAMPLES = 5
JsonRow = Mapping[str, Any]


class Answer(NamedTuple):
    """An answer and the character of the passage it begins at."""

    text: str
    start: int


@dataclass
class Reading:
    """What a cell says: the answers that stand in the passage (several people may have answered), whether it says that
    there is none, and (code, values) of what is wrong with it."""

    answers: list[Answer] = field(default_factory=list)
    impossible: bool = False
    faults: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the row can be learnt from."""
        return self.impossible or bool(self.answers)


def read(context: str, cell: str | None) -> Reading:
    """The answers that a cell names in `context`; nothing is raised, what is wrong is told."""
    found = Reading()
    pairs = _pairs(cell or "")
    if pairs is None:
        found.faults.append(("answers_unreadable", {}))
        return found
    found.impossible = not pairs
    for text, start in pairs:
        placed = _placed(context, text, start, found)
        if placed is not None and placed not in found.answers:
            found.answers.append(placed)
    if found.answers:  # of several people's answers one that is in place is enough
        found.faults = [fault for fault in found.faults if fault[0] not in LEFT_OUT]
    return found


def write(answers: Sequence[tuple[str, int | None]]) -> str:
    """The cell for answers with their places, as far as they are known."""
    starts = [start for _, start in answers if start is not None]
    made: dict[str, Any] = {"text": [text for text, _ in answers]}
    if len(starts) == len(answers):
        made["answer_start"] = starts
    return json.dumps(made, ensure_ascii=False)


def looks_like_answers(cells: Sequence[str]) -> bool:
    """Whether a column's cells (a sample, none empty) are answers in SQuAD's form, with their places."""
    good = sum(cell.lstrip()[:1] in ("{", "[") and '"answer_start"' in cell for cell in cells)
    return bool(cells) and good >= 0.8 * len(cells)


def problems(rows: Sequence[Mapping[str, str | None]], context: str, role: str) -> list[Problem]:
    """Everything wrong with the cells of `role`, one problem a kind with the numbers (from 1) of the first rows."""
    seen: dict[str, list[tuple[int, str]]] = {}
    counts: dict[str, int] = {}
    values: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        said, cell = row.get(context) or "", row.get(role)
        if not said.strip() or not (cell or "").strip():
            continue
        for code, told in read(said, cell).faults:
            counts[code] = counts.get(code, 0) + 1
            values.setdefault(code, told)
            if len(seen.setdefault(code, [])) < _EXAMPLES:
                seen[code].append((number, str(told.get("answer", cell))[:160]))
    return [
        Problem(
            code,
            "note" if code not in LEFT_OUT else "error" if counts[code] == len(rows) else "warning",
            f"columns.{role}",
            counts[code],
            tuple(seen[code]),
            {"row": seen[code][0][0], **values[code]},
        )
        for code in sorted(counts, key=lambda code: (code not in LEFT_OUT, -counts[code]))
    ]


def flat_rows(value: JsonRow) -> Iterator[JsonRow]:
    """The questions of an article ({"paragraphs": [...]}) or a passage ({"context", "qas": [...]}) of SQuAD as rows of
    their own; any other object as it is."""
    if _objects(value.get("paragraphs")):
        title = value.get("title")
        for paragraph in value["paragraphs"]:
            yield from flat_rows(paragraph if title is None else {"title": title, **paragraph})
    elif isinstance(value.get("context"), str) and _objects(value.get("qas")):
        about = {key: part for key, part in value.items() if key != "qas"}
        for asked in value["qas"]:
            rest = {key: part for key, part in asked.items() if key not in ("answers", "is_impossible")}
            yield {**about, **rest, "answers": _squad_cell(asked)}
    else:
        yield value


def merged_cell(text: str | None, start: str | None, impossible: str | None) -> str | None:
    """The cell for an answer whose place, or absence, stands in columns of their own; None where it has none of it."""
    if impossible is not None and impossible.strip().lower() in ("true", "1", "yes"):
        return write([])
    if text is None or not text.strip():
        return None
    try:
        return write([(text, int(float(start)))] if start is not None else [(text, None)])
    except (ValueError, OverflowError):
        return write([(text, None)])


def _squad_cell(asked: JsonRow) -> dict[str, Any] | None:
    if asked.get("is_impossible") is True:
        return {"text": [], "answer_start": []}
    given = asked.get("answers")
    if not _objects(given) or not given:
        return {"text": [], "answer_start": []} if given == [] and "is_impossible" not in asked else None
    return {"text": [one.get("text", "") for one in given], "answer_start": [one.get("answer_start") for one in given]}


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)


def _pairs(cell: str) -> list[tuple[str, int | None]] | None:
    """(text, start or None) of each answer; None where the cell is JSON of another form."""
    if cell.lstrip()[:1] not in ("{", "["):
        return [(cell, None)]
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return [(cell, None)]  # words that begin with a bracket
    if isinstance(value, dict):
        return _of_object(value)
    if not all(isinstance(part, (str, dict)) for part in value):
        return None
    found: list[tuple[str, int | None]] = []
    for part in value:
        more = [(part, None)] if isinstance(part, str) else _of_object(part)
        if more is None:
            return None
        found += more
    return found


def _of_object(value: Mapping[str, Any]) -> list[tuple[str, int | None]] | None:
    texts = value.get("text", value.get("answer"))
    starts = next((value[key] for key in _STARTS if key in value), None)
    if isinstance(texts, str):
        texts, starts = [texts], [starts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    if not isinstance(starts, list) or len(starts) != len(texts):
        starts = [None] * len(texts)
    whole = [start if isinstance(start, int) and not isinstance(start, bool) else None for start in starts]
    return list(zip(texts, whole, strict=True))


def _placed(context: str, text: str, start: int | None, found: Reading) -> Answer | None:
    """The answer at its place: where it was told, else where it occurs. None with a fault."""
    bare = text.strip()
    if not bare:
        found.faults.append(("answers_empty", {}))
        return None
    lead = len(text) - len(text.lstrip())
    if start is not None and start >= 0 and context[start + lead : start + lead + len(bare)] == bare:
        return Answer(bare, start + lead)
    times = context.count(bare)
    shown = {"answer": bare[:60], "start": "-" if start is None else start}
    if not times:
        found.faults.append(("answers_absent", shown))
        return None
    if times > 1 and start is not None:
        found.faults.append(("answers_ambiguous", {**shown, "times": times}))
        return None
    if start is not None:
        found.faults.append(("answers_moved", {**shown, "found": context.index(bare)}))
    elif times > 1:
        found.faults.append(("answers_first", {**shown, "times": times}))
    return Answer(bare, context.index(bare))
