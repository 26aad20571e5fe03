"""What both kinds of language modelling share: the column of text, and documents cut into blocks without a gap.

A block never holds two documents, so that nothing is read across a boundary; a document longer than a block goes on in
the next one, and every token of it is foretold exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.problem import Problem
from studio.tasks.base import Role, Rows, Task

if TYPE_CHECKING:
    from studio.data.roles import Column, Suggestion

TEXT = Role(
    "text",
    ("text", "document", "content", "body", "sentence", "paragraph", "article", "passage")
    + ("文本", "正文", "内容", "段落", "文章", "句子"),
)


def text_problems(rows: Rows) -> list[Problem]:
    """No text at all: there is nothing to learn from."""
    if any((row.get("text") or "").strip() for row in rows):
        return []
    return [Problem("texts_none", "error", "columns.text")]


def blocks(ids: Sequence[int], size: int) -> list[list[int]]:
    """`ids` in parts of at most `size` tokens; each begins with the last token of the one before, which foretells the
    first new one. A part of one token would foretell nothing and is only made of a document of one token."""
    found = [list(ids[:size])]
    step = max(size - 1, 1)
    found += [list(ids[start : start + size]) for start in range(step, len(ids) - 1, step)]
    return found


def text_offers(task: Task, columns: Sequence[Column]) -> list[Suggestion]:
    """A lone column of texts can be read for its language alone."""
    from studio.data.roles import Suggestion

    texts = [column for column in columns if column["kind"] == "text"]
    if len(texts) != 1 or any(column["kind"] in ("label", "chat") for column in columns):
        return []
    name = str(max(texts, key=lambda column: float(column["mean_length"]))["name"])
    return [Suggestion(task.key, {"text": name}, True, f"data.reason.{task.key}", {"text": name})]
