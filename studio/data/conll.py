"""Sentences with a token a line (CoNLL): tokens and tags in columns, blank lines between sentences.

Each sentence becomes a row of its text and the entities that its tags mean. Which column holds the tags is guessed from
what stands in them; the last that could is taken, as in all known sets.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from studio.data import limits
from studio.data.delimited import TELL, Lines, open_text
from studio.data.rows import Broken, Table
from studio.data.spans import Entity, write
from studio.data.tags import Scheme, chunks, is_outside, repairs, scheme_of, split_tag
from studio.data.tokens import joined
from studio.errors import UserError
from studio.problem import Problem

_PROBE = 3_000
"""Lines from which the form is judged."""
_SAME_WIDTH = 0.97
_TYPES = 60
"""More different values than this are no tags."""
_OUTSIDE = 0.3
"""Share of tokens outside any entity from which a column without marks counts as tags."""
_LONGEST = 400
"""Tokens a sentence at most, in the mean: more means that blank lines do not separate sentences."""
_EXAMPLES = 5


@dataclass(frozen=True)
class Form:
    """How the lines are cut: `separator` None is any white space. `others` are further columns that look like tags."""

    separator: str | None
    width: int
    token: int
    tag: int
    scheme: Scheme
    others: int = 0


def recognise(path: Path, encoding: str, name: str) -> Form | None:
    """The form of a file with a token a line, from its first lines; None for any other text."""
    with open_text(path, encoding) as handle:
        lines = Lines(handle, name)
        probe = []
        for line in lines:
            lines.fresh()
            probe.append(line)
            if len(probe) == _PROBE:
                break
    sentences = _sentences(probe)
    tokens = [line for sentence in sentences for line in sentence]
    if len(sentences) < 2 or not 1.5 <= len(tokens) / len(sentences) <= _LONGEST:
        return None
    separator = "\t" if sum("\t" in line for line in tokens) > 0.9 * len(tokens) else None
    rows = [_cells(line, separator) for line in tokens]
    width, same = Counter(map(len, rows)).most_common(1)[0]
    if width < 2 or same < _SAME_WIDTH * len(rows):
        return None
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True))
    tags = [place for place, column in enumerate(columns) if _holds_tags(column)]
    words = [place for place, column in enumerate(columns) if place not in tags and not all(map(_counts, column))]
    if not tags or not words:
        return None
    return Form(separator, width, words[0], tags[-1], scheme_of(set(columns[tags[-1]])), len(tags) - 1)


def read(path: Path, encoding: str, form: Form, name: str, table: Table) -> None:
    """Put every sentence of the file into `table`; those with a broken line are reported there and left out."""
    table.columns(["text", "entities"])
    mended: list[tuple[int, str]] = []
    count = 0
    with open_text(path, encoding) as handle:
        for start, lines, done in _blocks(handle, name):
            if done:
                table.progress(done)
            rows = [_cells(line, form.separator) for line in lines]
            wrong = next((place for place, row in enumerate(rows) if len(row) != form.width), None)
            if wrong is not None:
                values = {"cells": len(rows[wrong]), "width": form.width}
                table.broken(Broken("data_broken_token", start + wrong, lines[wrong].strip()[:200], values))
                continue
            tokens = [row[form.token] for row in rows]
            text, cell, repaired = as_cells(tokens, [row[form.tag] for row in rows], form.scheme)
            table.add([text, cell])
            count += repaired
            if repaired and len(mended) < _EXAMPLES:
                mended.append((len(table), text[:200]))
    if mended:
        table.notes.append(repaired_note(count, mended))
    if form.others:
        values = {"column": form.tag + 1, "others": form.others}
        table.notes.append(Problem("tags_column_guessed", "note", "data", form.others, values=values))


def as_cells(tokens: Sequence[str], tags: Sequence[str], scheme: Scheme) -> tuple[str, str, int]:
    """(text, cell of its entities, how many of them began with a mark that continues one). Tags that cannot be read
    are kept as they are beside their tokens: the check names the row."""
    text, places = joined(tokens)
    try:
        if len(tokens) != len(tags):
            raise ValueError
        pairs = [split_tag(tag, scheme) for tag in tags]
    except ValueError:
        return text, json.dumps({"tokens": list(tokens), "tags": list(tags)}, ensure_ascii=False), 0
    found = [Entity(places[one.start].start, places[one.end - 1].end, one.type) for one in chunks(pairs)]
    return text, write(text, found), repairs(pairs, scheme)


def repaired_note(count: int, examples: Sequence[tuple[int, str]]) -> Problem:
    """The finding that `count` entities began with I- or the like."""
    return Problem("tags_repaired", "note", "data", count, tuple(examples), {"row": examples[0][0]})


def _cells(line: str, separator: str | None) -> list[str]:
    return [cell.strip() for cell in line.rstrip("\r\n").split("\t")] if separator else line.split()


def _skipped(line: str) -> bool:
    """Marks between documents, and the comments of CoNLL-U ("# text = ..."): a token "#" has a tag behind it alone."""
    return line.startswith(("-DOCSTART-", "# newdoc", "# newpar", "# sent_id", "# text", "# id "))


def _sentences(lines: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if not line.strip().lstrip("\ufeff"):
            found.append([])
        elif not _skipped(line):
            found[-1].append(line)
    return [sentence for sentence in found if sentence]


def _blocks(handle: TextIO, name: str) -> Iterator[tuple[int, list[str], int]]:
    """(number of the first line, lines of a sentence, bytes read or 0 where there is nothing to tell)."""
    lines = Lines(handle, name)
    block: list[str] = []
    start = characters = told = 0
    for line in lines:
        lines.fresh()
        bare = line.lstrip("\ufeff") if lines.number == 1 else line
        if bare.strip() and not _skipped(bare):
            block.append(bare)
            start = start or lines.number
            characters += len(bare)
            if characters > 2 * limits.CELL_CHARACTERS:
                raise UserError("data_cell_too_long", name=name, row=start, limit=limits.CELL_CHARACTERS)
        elif block and not bare.strip():
            told, before = (lines.number // TELL), told
            yield start, block, handle.buffer.tell() if told > before else 0
            block, start, characters = [], 0, 0
    if block:
        yield start, block, 0


def _counts(cell: str) -> bool:
    return re.fullmatch(r"\d+([-.]\d+)?", cell) is not None


def _holds_tags(column: Sequence[str]) -> bool:
    kinds = set(column)
    outside = sum(map(is_outside, column))
    if not outside or "O" not in kinds or len(kinds) < 2:
        return False
    scheme = scheme_of(kinds)
    if scheme.marked:
        read = 0
        for tag in column:
            try:
                split_tag(tag, scheme)
                read += 1
            except ValueError:
                pass
        return read >= _SAME_WIDTH * len(column)
    return len(kinds) <= _TYPES and outside >= _OUTSIDE * len(column)
