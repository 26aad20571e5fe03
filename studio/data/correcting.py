"""One row's answer as a person corrects it: what it marks now, and the cells for what it is to mark.

Two kinds of data mark parts of a text: named parts, each with a type ("tags"), and the answer to a question ("spans").
Places count characters of the text. Whether a correction holds is judged where it becomes a step (`steps.set_cells`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from studio.data import answers, spans
from studio.data.spans import Entity
from studio.data.store import DataVersion, each_row, load_version, read_rows
from studio.data.tokens import words_of
from studio.errors import UserError
from studio.tasks.base import Row, Task, tasks

MARKING = ("tags", "spans")
"""Result kinds whose answers are parts of a text."""
TYPES_OF = 20_000
"""Rows whose types are offered for further parts."""
MOST_TYPES = 60
MOST_MARKS = 2_000
ANSWER = "answer"
"""What the part is called that answers a question."""
_OPPOSITES = (("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("t", "f"), ("是", "否"), ("真", "假"))


def opened(
    version: DataVersion, task: str, columns: Mapping[str, str], row: int, cells: Mapping[str, str]
) -> dict[str, Any]:
    """What row `row` (from 0) marks: {"text", "words": [[start, end]], "marks": [[start, end, type]], "question",
    "types": types there are, "others": how many further answers it names, "faults": [[code, values]]}. `cells` (column
    -> text) are corrections of the row that are not saved yet. Raises UserError (`correction_row`,
    `correction_kind`)."""
    member, found = _member(task, columns), _row(version, columns, row, cells)
    text = found.get(_text_role(member)) or ""
    marks, others, faults = _read(member, found)
    types: tuple[str, ...] = ()
    if member.result == "tags":
        types = _types(str(version.folder), *(columns[role.key] for role in member.roles[:2]))
    return {
        "text": text,
        "words": [list(word) for word in words_of(text)],
        "marks": [list(mark) for mark in marks],
        "question": found.get("question") or "" if member.result == "spans" else "",
        "types": list(types),
        "others": others,
        "faults": [list(fault) for fault in faults],
    }


def corrected(
    version: DataVersion,
    task: str,
    columns: Mapping[str, str],
    row: int,
    cells: Mapping[str, str],
    wish: Mapping[str, Any],
) -> dict[str, str]:
    """Cells (column -> text) for what the row is to say: {"marks": [[start, end, type]]}, or {"text"} for another text,
    along which the marks move. Raises UserError as `opened`, and `correction_faulty` for marks that cannot be."""
    member, found = _member(task, columns), _row(version, columns, row, cells)
    role = _text_role(member)
    text = found.get(role) or ""
    if isinstance(wish.get("text"), str):
        written = {role: wish["text"], **_along(member, found, text, wish["text"], row)}
    else:
        written = _written(member, found, text, _marks(wish.get("marks"), row, text))
    faulty(member, {**found, **written}, row)
    return {columns[role]: cell for role, cell in written.items()}


def _along(task: Task, row: Row, before: str, after: str, place: int) -> dict[str, str]:
    """The cells by role that mark the same in the changed text; none where there is nothing to move."""
    marks, _, faults = _read(task, row)
    # A text that is mended may be the one that its marks were counted in all along.
    if not marks or (faults and not task.kind.faults(task, {**row, _text_role(task): after})):
        return {}
    moved = carried(before, after, marks)
    if task.result == "spans" and not moved:
        raise UserError("correction_faulty", row=place + 1, why_codes=[("correction.torn", {})])
    return _written(task, row, after, moved)


def faulty(task: Task, row: Row, place: int) -> None:
    """Raises UserError (`correction_faulty`) where a row's answer could not be learnt as it is meant."""
    for code, values in task.kind.faults(task, row):
        raise UserError("correction_faulty", row=place + 1, why_codes=[(f"correction.{code}", values)])


def carried(before: str, after: str, marks: Sequence[Entity]) -> list[Entity]:
    """The marks of a text in its changed form: those before the change stay, those after it move, one around it grows
    or shrinks with it, and one that it tore is gone."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    end, shift = len(before) - tail, len(after) - len(before)
    kept = []
    for mark in marks:
        if mark.end <= head:
            kept.append(mark)
        elif mark.start >= end:
            kept.append(mark._replace(start=mark.start + shift, end=mark.end + shift))
        elif mark.start <= head and mark.end >= end and mark.end + shift > mark.start:
            kept.append(mark._replace(end=mark.end + shift))
    return [mark for mark in kept if after[mark.start : mark.end].strip()]


def _member(task: str, columns: Mapping[str, str]) -> Task:
    member = tasks.get(task)
    if member.result not in MARKING or not all(columns.get(role.key) for role in member.roles if role.required):
        raise UserError("correction_kind", task_code=f"task.{task}.title")
    return member


def _read(task: Task, row: Row) -> tuple[list[Entity], int, list[tuple[str, dict[str, Any]]]]:
    """(what a row marks, how many further answers it names, what is wrong with it)."""
    if task.result == "tags":
        text, cell = (row.get(role.key) or "" for role in task.roles[:2])
        read = spans.read(text, cell) if cell.strip() else spans.Reading()
        return read.entities, 0, read.faults
    found = answers.reading_of(row)
    first = next((one for one in found.answers if one.start >= 0), None)
    marks = [Entity(first.start, first.end, ANSWER)] if first else []
    return marks, max(0, len(found.answers) - 1), found.faults


def _text_role(task: Task) -> str:
    """The role whose characters are counted."""
    return "context" if task.result == "spans" else task.roles[0].key


def _row(version: DataVersion, columns: Mapping[str, str], row: int, cells: Mapping[str, str]) -> dict[str, str | None]:
    if not 0 <= row < version.rows:
        raise UserError("correction_row", row=row + 1, rows=version.rows)
    found = read_rows(version, columns, [row])[0]
    return found | {role: cells[column] for role, column in columns.items() if column in cells}


@lru_cache(maxsize=16)
def _types(folder: str, text: str, entities: str) -> tuple[str, ...]:
    """The types in a column, the commonest first. A version never changes, so what was counted stays true."""
    version = load_version(Path(folder))
    counts: Counter[str] = Counter()
    assert version is not None
    for row in islice(each_row(version, {"text": text, "cell": entities}), TYPES_OF):
        if (row["cell"] or "").strip():
            for one in spans.read(row["text"] or "", row["cell"]).entities:
                counts[one.type] += 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_TYPES])


def _marks(sent: Any, row: int, text: str) -> list[Entity]:
    """Marks as a page sends them. Raises UserError (`request_unreadable`, `correction_faulty`)."""
    if not isinstance(sent, list) or len(sent) > MOST_MARKS:
        raise UserError("request_unreadable")
    found = []
    for mark in sent:
        if not isinstance(mark, list) or len(mark) != 3 or [type(part) for part in mark] != [int, int, str]:
            raise UserError("request_unreadable")
        start, end, kind = mark
        if not kind.strip():
            raise UserError("correction_faulty", row=row + 1, why_codes=[("correction.no_type", {})])
        if not 0 <= start < end <= len(text):
            values = {"start": start, "end": end, "length": len(text)}
            raise UserError("correction_faulty", row=row + 1, why_codes=[("correction.spans_outside", values)])
        found.append(Entity(start, end, kind.strip()))
    return sorted(found)


def _written(task: Task, row: Row, text: str, marks: Sequence[Entity]) -> dict[str, str]:
    """The cells by role that name these marks, in the form the row's own cells have."""
    if task.result == "tags":
        return {task.roles[1].key: spans.write(text, marks)}
    answer = text[marks[0].start : marks[0].end] if marks else ""
    made = {"answers": _answer_cell(row.get("answers") or "", answer, marks, "start" in row, text)}
    if "start" in row:
        made["start"] = str(marks[0].start) if marks else ""
    if "impossible" in row:
        made["impossible"] = _switched(row.get("impossible") or "", not marks)
    return made


def _answer_cell(cell: str, answer: str, marks: Sequence[Entity], placed: bool, text: str) -> str:
    """`placed`: another column tells where the answer begins."""
    plain = cell.strip()
    starts = [mark.start for mark in marks[:1]]
    if plain[:1] == "[" and "{" in plain[:4]:
        return json.dumps([{"text": answer, "answer_start": start} for start in starts], ensure_ascii=False)
    # A plain answer without its place is found by its text, which has to name this very place.
    found = answers.read(text, answer)
    plainly = placed or not marks or (not found.faults and [one.start for one in found.answers] == starts)
    if plain[:1] not in ("{", "[") and plainly:
        return answer
    return json.dumps({"text": [answer] if marks else [], "answer_start": starts}, ensure_ascii=False)


def _switched(cell: str, yes: bool) -> str:
    """Whether there is no answer, in the words that the column says it with."""
    plain = cell.strip()
    pair = next((pair for pair in _OPPOSITES if plain.casefold() in pair), _OPPOSITES[0])
    word = pair[0 if yes else 1]
    return word.capitalize() if plain[:1].isupper() else word
