"""The assistant's answers in a conversation, written token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.kinds.base import Kind, Recipe, kinds
from studio.problem import Problem

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task


class Chat(Kind):
    """An answer's text; while only scored, its loss."""

    key = "chat"
    models = ("decoder",)
    starter = "starter:smollm2"
    methods = ("lora", "full", "head")
    simple = False
    generates = True
    before = True
    places_head = False
    conversational = True
    vocabulary = True
    shortens = False
    validation_rows = 24
    sample_seconds = 3.0
    report_seconds = 20.0
    batches = (1000, 4, 8)
    recipes = {
        "quick": Recipe(3, 1, 4, 384, 3, 2),
        "balanced": Recipe(4, 1, 6, 768, 6, 3),
        "thorough": Recipe(6, 2, 8, 1024, 10, 4),
    }
    rates = {"full": (5e-5, 5e-5), "lora": (1e-3, 1e-3), "head": (1e-4, 1e-4)}

    def problems(self, task: Task, rows: Sequence[Row], usable: Sequence[tuple[int, Row]]) -> list[Problem]:
        from studio.data import chat

        # Rows without an answer are the task's own finding.
        return [problem for problem in chat.problems(rows) if problem.code != "chat_no_answer"]


kinds.register(Chat())
