"""Named parts of a text as they stand in a cell: read in the forms people keep them in, written in one.

Written: a JSON list of {"text", "type", "start", "end"}, the places in characters, `end` not included. Read: that,
lists of [start, end, type], and the objects of doccano, Label Studio, Prodigy and transformers' pipelines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from studio.data.tags import chunks, scheme_of, split_tag
from studio.data.tokens import joined
from studio.problem import Problem

_STARTS = ("start", "start_offset", "startOffset", "start_char", "begin", "from")
_ENDS = ("end", "end_offset", "endOffset", "end_char", "stop", "to")
_TYPES = ("type", "label", "labels", "entity_group", "entity_type", "entity", "tag", "category", "class", "name")
_TEXTS = ("text", "word", "value", "surface")
_WRAPPERS = ("entities", "spans", "labels", "label", "annotations", "tags")
TOKEN_KEYS = ("tokens", "words", "token", "word", "text", "sentence", "chars")
TAG_KEYS = ("tags", "ner_tags", "ner", "labels", "tag")
LEFT_OUT = ("spans_unreadable", "spans_outside", "spans_text_differs", "tags_lengths", "tags_unknown")
"""Faults for which a row cannot be learnt from."""
MENDED = ("spans_moved", "spans_overlap", "tags_repaired")
"""Faults that were mended."""
_EXAMPLES = 5


class Entity(NamedTuple):
    """A named part: characters [start, end) of the text, and its type."""

    start: int
    end: int
    type: str


@dataclass
class Reading:
    """What a cell says: entities in the text's order, none overlapping, and (code, values) of what is wrong with it."""

    entities: list[Entity] = field(default_factory=list)
    faults: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the row can be learnt from."""
        return not any(code in LEFT_OUT for code, _ in self.faults)


class _Unreadable(ValueError):
    """No form that is known."""


def read(text: str, cell: str | None) -> Reading:
    """The entities that a cell names in `text`; nothing is raised, what is wrong is told."""
    found = Reading()
    try:
        value = json.loads(cell or "")
        tagged = _tagged(value)
        if tagged is not None:
            _read_tagged(text, *tagged, found)
            return found
        marks = [_mark(part) for part in _listed(value)]
    except (ValueError, RecursionError):
        found.faults.append(("spans_unreadable", {}))
        return found
    for start, end, kind, said in marks:
        placed = _placed(text, start, end, said, found)
        if placed is not None:
            found.entities.append(Entity(*placed, kind))
    found.entities = _apart(found.entities, text, found)
    return found


def write(text: str, entities: Sequence[Entity]) -> str:
    """The cell for entities of `text`."""
    made = [
        {"text": text[one.start : one.end], "type": one.type, "start": one.start, "end": one.end} for one in entities
    ]
    return json.dumps(made, ensure_ascii=False)


def looks_like_spans(cells: Sequence[str]) -> bool:
    """Whether a column's cells (a sample, none empty) name parts of a text."""
    filled = [cell for cell in cells if cell.strip() not in ("[]", "{}")]
    if not filled or sum(cell.lstrip()[:1] in ("[", "{") for cell in cells) < 0.9 * len(cells):
        return False
    good = 0
    for cell in filled:
        try:
            value = json.loads(cell)
            good += _tagged(value) is not None or bool([_mark(part) for part in _listed(value)])
        except (ValueError, RecursionError):
            pass
    return good >= 0.8 * len(filled)


def problems(rows: Sequence[Mapping[str, str | None]], text: str, role: str) -> list[Problem]:
    """Everything wrong with the cells of `role`, one problem a kind with the numbers (from 1) of the first rows."""
    seen: dict[str, list[tuple[int, str]]] = {}
    counts: dict[str, int] = {}
    values: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        said, cell = row.get(text) or "", row.get(role)
        if not said.strip() or not (cell or "").strip():
            continue
        faults = dict(reversed(read(said, cell).faults))  # the first of each kind
        for code, told in faults.items():
            counts[code] = counts.get(code, 0) + 1
            values.setdefault(code, told)
            if len(seen.setdefault(code, [])) < _EXAMPLES:
                seen[code].append((number, said[:160]))
    return [
        Problem(
            code,
            _severity(code, counts[code], len(rows)),
            f"columns.{role}",
            counts[code],
            tuple(seen[code]),
            {"row": seen[code][0][0], **values[code]},
        )
        for code in sorted(counts, key=lambda code: (code not in LEFT_OUT, -counts[code]))
    ]


def _severity(code: str, count: int, rows: int) -> str:
    if code not in LEFT_OUT:
        return "note"
    return "error" if count == rows else "warning"


def _tagged(value: Any) -> tuple[list[Any], list[Any]] | None:
    """(tokens, tags) where a cell holds both, as rows do whose tags could not be read when the file was."""
    if not isinstance(value, dict):
        return None
    tokens = next((value[key] for key in TOKEN_KEYS if isinstance(value.get(key), list)), None)
    tags = next((value[key] for key in TAG_KEYS if isinstance(value.get(key), list)), None)
    return None if tokens is None or tags is None else (tokens, tags)


def _read_tagged(text: str, tokens: list[Any], tags: list[Any], found: Reading) -> None:
    if len(tokens) != len(tags):
        found.faults.append(("tags_lengths", {"tokens": len(tokens), "tags": len(tags)}))
        return
    words, spans = joined([str(token) for token in tokens])
    names = [str(tag) for tag in tags]
    scheme = scheme_of(names)
    try:
        pairs = [split_tag(name, scheme) for name in names]
    except ValueError as error:
        found.faults.append(("tags_unknown", {"tag": str(error)[:40]}))
        return
    if words != text:
        found.faults.append(("spans_text_differs", {"said": words[:60], "found": text[:60]}))
        return
    found.entities = [Entity(spans[one.start].start, spans[one.end - 1].end, one.type) for one in chunks(pairs)]


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict) and value and all(isinstance(part, dict) for part in value.values()):
        return _by_type(value)
    if isinstance(value, dict):
        value = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), list)), None)
    if not isinstance(value, list):
        raise _Unreadable
    return value


def _by_type(value: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The entries of CLUENER's {type: {text: [[first, last], ...]}}, whose last character is counted in."""
    return [
        {"text": said, "type": kind, "start": place[0], "end": place[1] + 1}
        for kind, texts in value.items()
        for said, places in texts.items()
        if isinstance(places, list)
        for place in places
        if isinstance(place, list) and len(place) == 2 and all(isinstance(one, int) for one in place)
    ]


def _mark(part: Any) -> tuple[int, int, str, str | None]:
    """(start, end, type, the text it says it is) of one entry. Raises ValueError."""
    if isinstance(part, list):
        places = [one for one in part if isinstance(one, int) and not isinstance(one, bool)]
        names = [one for one in part if isinstance(one, str)]
        if len(places) < 2 or not names:
            raise _Unreadable
        return places[0], places[1], names[0].strip(), None
    if not isinstance(part, dict):
        raise _Unreadable
    inner = part["value"] if isinstance(part.get("value"), dict) else part
    start, end = _first(inner, _STARTS, _whole), _first(inner, _ENDS, _whole)
    kind = _first(inner, _TYPES, _name)
    if start is None or end is None or not kind:
        raise _Unreadable
    return start, end, kind, _first(inner, _TEXTS, lambda value: value if isinstance(value, str) else None)


def _first(part: Mapping[str, Any], keys: Sequence[str], take: Callable[[Any], Any]) -> Any:
    return next((found for key in keys if key in part and (found := take(part[key])) is not None), None)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _name(value: Any) -> str | None:
    if isinstance(value, list) and value:  # Label Studio: the labels of a region, of which it has one
        value = value[0]
    return value.strip() if isinstance(value, str) and value.strip() else None


def _placed(text: str, start: int, end: int, said: str | None, found: Reading) -> tuple[int, int] | None:
    """Where the part stands: as told, or where its own text says when that is plain. None with a fault."""
    inside = 0 <= start < end <= len(text)
    if inside and (said is None or _alike(text[start:end], said)):
        return _trimmed(text, start, end)
    if said and said.strip():
        if 0 <= start <= end < len(text) and text[start : end + 1] == said:  # the last character was counted in
            found.faults.append(("spans_moved", {"said": said[:60]}))
            return start, end + 1
        if text.count(said) == 1:
            found.faults.append(("spans_moved", {"said": said[:60]}))
            return text.index(said), text.index(said) + len(said)
    if inside:
        found.faults.append(("spans_text_differs", {"said": str(said)[:60], "found": text[start:end][:60]}))
    else:
        found.faults.append(("spans_outside", {"start": start, "end": end, "length": len(text)}))
    return None


def _alike(found: str, said: str) -> bool:
    """Pipelines join sub-words with blanks and lower case: those are no other text."""
    return "".join(found.split()).casefold() == "".join(said.split()).replace("##", "").casefold()


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The part without the blanks at its ends, which a mouse selects along; None for blanks alone."""
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return (start, start + len(part.strip())) if part.strip() else None


def _apart(entities: list[Entity], text: str, found: Reading) -> list[Entity]:
    """In the text's order; of parts that overlap the longest stays, since a token can have one type only."""
    kept: list[Entity] = []
    for one in sorted(set(entities), key=lambda entity: (entity.start - entity.end, entity.start, entity.type)):
        clash = next((other for other in kept if one.start < other.end and other.start < one.end), None)
        if clash is None:
            kept.append(one)
        else:
            values = {"kept": text[clash.start : clash.end][:60], "dropped": text[one.start : one.end][:60]}
            found.faults.append(("spans_overlap", values))
    return sorted(kept)
