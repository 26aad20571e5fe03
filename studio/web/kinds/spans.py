"""Answers from a text: the text with its answer marked; what is drawn stands in the kind's script."""

from __future__ import annotations

from typing import Any

from studio.tasks.base import Row, Task
from studio.web.kinds.base import Face, faces


class SpanFace(Face):
    """A part of a text."""

    key = "spans"

    def example(self, task: Task, row: Row) -> dict[str, Any]:
        """The question alone: held-out rows often share their text."""
        return {"text": row.get("question") or "", "truth": task.truth(row) or ""}


faces.register(SpanFace())
