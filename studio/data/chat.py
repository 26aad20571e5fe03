"""Conversations in the four shapes people keep them in, turned into one: a list of {"role", "content"}.

Known: OpenAI `messages`, ShareGPT `conversations`, Alpaca instruction / input / output, prompt + completion. Chat
templates and tokens are the task's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import UserError
from studio.problem import Problem

Message = dict[str, str]
SYSTEM, USER, ASSISTANT, TOOL = "system", "user", "assistant", "tool"
_ROLES = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "human": USER,
    "prompter": USER,
    "customer": USER,
    "assistant": ASSISTANT,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "bot": ASSISTANT,
    "bing": ASSISTANT,
    "bard": ASSISTANT,
    "model": ASSISTANT,
    "ai": ASSISTANT,
    "agent": ASSISTANT,
    "tool": TOOL,
    "function": TOOL,
    "observation": TOOL,
}
_WRAPPERS = ("messages", "conversations", "conversation")
_EXAMPLES = 5


class ChatFault(UserError):
    """A row that is no conversation; `code` names an error and a problem alike."""


def as_messages(row: Mapping[str, str | None], columns: Mapping[str, str]) -> list[Message]:
    """The conversation of a row (column -> text) under `columns` (role -> column), normalised.

    Roles: `messages` (JSON text in OpenAI or ShareGPT form), or `instruction`, `input`, `output`. A row without
    an output ends with the user's message. Raises ChatFault where it cannot be read.
    """
    if columns.get("messages"):
        return parse(row.get(columns["messages"]) or "")
    instruction, extra, output = (
        (row.get(columns.get(role, "")) or "").strip() for role in ("instruction", "input", "output")
    )
    asked = "\n\n".join(part for part in (instruction, extra) if part)
    if not asked:
        raise ChatFault("chat_no_question")
    made = [{"role": USER, "content": asked}]
    return [*made, {"role": ASSISTANT, "content": output}] if output else made


def parse(text: str) -> list[Message]:
    """The messages in a cell's JSON text. Raises ChatFault (`chat_unreadable`, `chat_empty`, `chat_role_unknown`)."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ChatFault("chat_unreadable") from None
    if isinstance(value, dict):
        value = next((value[key] for key in _WRAPPERS if key in value), None)
    if not isinstance(value, list):
        raise ChatFault("chat_unreadable")
    found = [_message(part) for part in value]
    if not found:
        raise ChatFault("chat_empty")
    return found


def _message(part: Any) -> Message:
    if not isinstance(part, dict):
        raise ChatFault("chat_unreadable")
    said = part.get("role", part.get("from"))
    role = _ROLES.get(str(said).strip().lower())
    if role is None:
        raise ChatFault("chat_role_unknown", role=str(said)[:40])
    content = part.get("content", part.get("value", part.get("text")))
    if isinstance(content, list):  # OpenAI's content parts; only their texts can be learnt from
        content = "\n".join(str(piece.get("text", "")) for piece in content if isinstance(piece, dict))
    return {"role": role, "content": "" if content is None else str(content)}


def looks_like_chat(cells: Sequence[str]) -> bool:
    """Whether a column's cells (a sample, none empty) hold conversations."""
    if not cells or sum(cell.lstrip()[:1] in ("[", "{") for cell in cells) < 0.9 * len(cells):
        return False
    good = 0
    for cell in cells:
        try:
            parse(cell)
        except ChatFault as fault:
            good += fault.code == "chat_role_unknown"
        else:
            good += 1
    return good >= 0.8 * len(cells)


def faults(messages: Sequence[Message]) -> list[str]:
    """Codes of what is wrong with a readable conversation, worst first."""
    found = []
    if not any(message["role"] == ASSISTANT and message["content"].strip() for message in messages):
        found.append("chat_no_answer")
    elif messages[-1]["role"] != ASSISTANT:
        found.append("chat_ends_with_question")
    if not any(message["role"] == USER and message["content"].strip() for message in messages):
        found.append("chat_no_question")
    if any(not message["content"].strip() for message in messages):
        found.append("chat_blank_message")
    talk = [message["role"] for message in messages if message["role"] in (USER, ASSISTANT)]
    if any(first == second for first, second in zip(talk, talk[1:], strict=False)):
        found.append("chat_twice_in_a_row")
    if any(message["role"] == SYSTEM for message in messages[1:]):
        found.append("chat_late_system")
    return found


_UNUSABLE = ("chat_unreadable", "chat_empty", "chat_role_unknown", "chat_no_question", "chat_no_answer")


def problems(rows: Sequence[Mapping[str, str | None]]) -> list[Problem]:
    """Everything wrong with rows by role, one problem a kind with the numbers (from 1) of the first rows."""
    seen: dict[str, list[tuple[int, str]]] = {}
    counts: dict[str, int] = {}
    values: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        shown = next((text[:160] for text in row.values() if text), "")
        try:
            codes = faults(as_messages(row, {role: role for role in row}))
        except ChatFault as fault:
            codes = [fault.code]
            values.setdefault(fault.code, fault.values)
        for code in codes:
            counts[code] = counts.get(code, 0) + 1
            if len(seen.setdefault(code, [])) < _EXAMPLES:
                seen[code].append((number, shown))
    return [
        Problem(
            code,
            "error" if code in _UNUSABLE and counts[code] == len(rows) else "warning",
            "columns",
            counts[code],
            tuple(seen[code]),
            {"row": seen[code][0][0], **values.get(code, {})},
        )
        for code in sorted(counts, key=lambda code: (code not in _UNUSABLE, -counts[code]))
    ]
