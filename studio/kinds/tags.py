"""Parts of a text with a type each: named entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data import spans
from studio.kinds.base import Kind, kinds

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task


class Tags(Kind):
    """Entities as characters of the text, each with a type and a probability."""

    key = "tags"
    models = ("encoder",)
    methods = ("full", "lora")
    places_head = False

    def used(self, task: Task, row: Row) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.type for one in _read(task, row).entities))

    def faults(self, task: Task, row: Row) -> list[tuple[str, dict[str, Any]]]:
        # Also what would be mended on reading: a person who corrects means exactly what they wrote.
        return [fault for fault in _read(task, row).faults if fault[0] != "tags_repaired"]


def _read(task: Task, row: Row) -> spans.Reading:
    """The parts that a row marks; a blank cell marks none."""
    text, cell = (row.get(role.key) or "" for role in task.roles[:2])
    return spans.read(text, cell) if cell.strip() else spans.Reading()


kinds.register(Tags())
