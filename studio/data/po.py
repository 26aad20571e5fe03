"""Rows of a gettext catalogue (.po): source and target of every finished message, for translation.

Doubtful translations (fuzzy), missing ones and entries that are no longer used are left out and counted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data import limits
from studio.data.delimited import open_text
from studio.data.rows import Table
from studio.errors import UserError
from studio.problem import Problem

if TYPE_CHECKING:
    from babel.messages.catalog import Message

COLUMNS = ["source", "target", "context"]
_ENTRY = re.compile(r'^(?:msgctxt|msgid)[ \t]+"', re.MULTILINE)
_ANSWER = re.compile(r'^msgstr(?:\[\d\])?[ \t]+"', re.MULTILINE)
_OTHER = re.compile(r'^(?!#|msg(?:ctxt|id|id_plural|str(?:\[\d+\])?)[ \t]+"|"|[ \t]*$).+', re.MULTILINE)
_SOUND = re.compile(
    r'\s*(?:#.*|(?:(?:msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?)\s*)?"(?:[^"\\]|\\.)*"|)\s*', re.DOTALL
)
_TOLD = 2_000
_EXAMPLES = 5


def looks_like_po(text: str) -> bool:
    """Whether the head of a file is a gettext catalogue: messages with answers, and hardly a line of anything else."""
    if not _ENTRY.search(text) or not _ANSWER.search(text):
        return False
    return len(_OTHER.findall(text)) <= 0.02 * text.count("\n") + 1


def read(path: Path, encoding: str, name: str, table: Table) -> None:
    """Put every finished message into `table`, plural forms as rows of their own.

    Raises UserError (`data_po_large`, `data_po_broken` with the line).
    """
    from babel.messages.pofile import PoFileError, read_po

    size = path.stat().st_size
    if size > limits.JSON_BYTES:
        raise UserError("data_po_large", name=name, size=round(size / 1e6, 1), limit=limits.JSON_BYTES // 10**6)
    with open_text(path, encoding) as handle:
        lines = [line.rstrip("\r\n").removeprefix("\ufeff") for line in handle]
    for number, line in enumerate(lines, 1):
        # The parser takes an open quote for closed and drops a character.
        if not _SOUND.fullmatch(line):
            raise UserError("data_po_broken", name=name, line=number, reason=line.strip()[:80])
    try:
        catalog = read_po(lines, ignore_obsolete=False, abort_invalid=True)
    except PoFileError as error:
        raise UserError("data_po_broken", name=name, line=error.lineno + 1, reason=str(error)[:120]) from None
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise UserError("data_po_broken", name=name, line="-", reason=str(error)[:120]) from None
    rows: list[tuple[str, str, str | None]] = []
    fuzzy: list[tuple[int, str]] = []
    missing: list[tuple[int, str]] = []
    for number, message in enumerate(catalog, 1):
        if number % _TOLD == 0:
            table.progress(size * number // max(len(catalog), 1))
        source = _text(message.id)
        if not source:  # the catalogue's own head
            continue
        pairs = _pairs(message)
        if message.fuzzy:
            fuzzy.append((message.lineno or number, source[:200]))
        elif not pairs:
            missing.append((message.lineno or number, source[:200]))
        else:
            rows += [(*pair, str(message.context) if message.context else None) for pair in pairs]
    width = 3 if any(context for _, _, context in rows) else 2
    table.columns(COLUMNS[:width])
    for row in rows:
        table.add(list(row[:width]))
    table.notes += _told("data_po_fuzzy", fuzzy) + _told("data_po_missing", missing)
    if catalog.obsolete:
        old = [(message.lineno or 0, _text(message.id)[:200]) for message in catalog.obsolete.values()]
        table.notes += _told("data_po_obsolete", old)


def _told(code: str, rows: list[tuple[int, str]]) -> list[Problem]:
    if not rows:
        return []
    return [Problem(code, "note", "data", len(rows), tuple(rows[:_EXAMPLES]), {"text": rows[0][1][:80]})]


def _text(value: object) -> str:
    return str(value[0] if isinstance(value, (tuple, list)) and value else value or "")


def _pairs(message: Message) -> list[tuple[str, str]]:
    """(source, target) of a message: singular with the first form, plural with the next; a language that has only one
    form (Chinese) has it for the plural."""
    ids, answers = message.id, message.string
    if not isinstance(ids, (tuple, list)):
        pairs = [(_text(ids), _text(answers))]
    else:
        forms = [str(form) for form in answers] if isinstance(answers, (tuple, list)) else [_text(answers)]
        pairs = [(str(ids[-1]), forms[0])] if len(forms) == 1 else [(str(ids[0]), forms[0]), (str(ids[-1]), forms[1])]
    return [(source, target) for source, target in pairs if source.strip() and target.strip()]
