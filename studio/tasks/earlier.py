"""Earlier rows of the same conversation or document before a text: which columns say so, and how a model reads both.

A row holds its earlier texts under EARLIER, a line each, the oldest first. In tokens each line ends with the mark that
stands between two texts; where room is short the oldest tokens go, never one of the text itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.tasks.base import Item, Role, Row, Rows
from studio.tasks.windows import windows

EARLIER = "earlier"
"""The key of the earlier texts in a row, beside its roles."""
MOST = 20
"""Earlier rows that can be asked for."""
USUAL = 3
"""Earlier rows that the technique turns on."""
THREAD = Role(
    "thread",
    tuple(
        f"{what}{end}"
        for what in "conversation conv dialog dialogue thread session document doc chat call case".split()
        for end in ("_id", "id", "_no", "_number")
    )
    + ("conversation", "dialog", "dialogue", "thread", "session", "对话编号", "对话id", "会话编号", "会话id", "对话")
    + ("会话", "文档编号", "文档id"),
    required=False,
)
TURN = Role(
    "turn",
    ("turn", "turn_id", "turn_no", "turn_number", "utterance_id", "utterance_no", "position", "order", "seq")
    + ("sequence", "line_no", "line_number", "sentence_no", "sentence_id", "index", "time", "timestamp", "date")
    + ("datetime", "created_at", "sent_at", "轮次", "序号", "顺序", "时间"),
    required=False,
)
GROUPING = (THREAD, TURN)
WHOLE = "\0thread "
"""Begins a tie that always holds: the rows of a conversation, which are no copies of one another."""


def as_line(text: str | None) -> str:
    """A row's text as one line of the earlier ones."""
    return " ".join((text or "").split())


def lines_of(row: Row, most: int) -> list[str]:
    """At most so many of a row's earlier texts, the nearest ones, the oldest first."""
    lines = [line for line in (row.get(EARLIER) or "").split("\n") if line.strip()]
    return lines[-most:] if most else []


def asked_context(options: Any) -> dict[str, int]:
    """What is remembered with the model: how many earlier rows it reads, where it reads any."""
    most = getattr(options, "context", 0)
    return {"context": most} if most else {}


def ties_of(row: Row) -> list[str]:
    """What keeps rows in one part of the split: the conversation, then the text; without a conversation the text."""
    thread, text = (row.get(THREAD.key) or "").strip(), row.get("text") or ""
    return [f"{WHOLE}{thread}", text] if thread else [text]


def marks_of(tokenizer: Any) -> dict[str, Any]:
    """{"lead", "between"}: how many marks a tokenizer puts before a text, and the tokens that end an earlier line."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    lead = next((at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), 0)
    if tokenizer.sep_token_id is not None:
        return {"lead": lead, "between": [tokenizer.sep_token_id]}
    return {"lead": lead, "between": tokenizer("\n\n", add_special_tokens=False)["input_ids"]}


def read_texts(rows: Rows, tokenizer: Any, facts: Mapping[str, Any], max_length: int) -> list[list[Item]]:
    """The windows of each row's text as items without a truth. Where `facts` say how many earlier rows are read
    ("context"), a text that is one window has theirs before it and `before` is how many tokens that takes."""
    texts = [facts.get("prefix", "") + (row.get("text") or "") for row in rows]
    cut = windows(texts, tokenizer, max_length, facts.get("windows", 1))
    found: list[list[Item]] = [[{"input_ids": ids, "row": place} for ids in parts] for place, parts in enumerate(cut)]
    if not (most := facts.get("context", 0)):
        return found
    marks = marks_of(tokenizer)
    for row, parts in zip(rows, found, strict=True):
        lines = lines_of(row, most) if len(parts) == 1 else []
        room = max_length - len(parts[0]["input_ids"])
        before = _tokens(lines, tokenizer, marks["between"])[-room:] if lines and room > 0 else []
        for item in parts:
            ids, lead = item["input_ids"], marks["lead"]
            item["input_ids"], item["before"] = [*ids[:lead], *before, *ids[lead:]], len(before)
    return found


def _tokens(lines: list[str], tokenizer: Any, between: list[int]) -> list[int]:
    coded = tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]
    return [token for ids in coded for token in [*ids, *between]]
