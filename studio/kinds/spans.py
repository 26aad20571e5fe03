"""One part of a text, or none of it: the answer to a question about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data import answers
from studio.kinds.base import Kind, Recipe, kinds

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task


class Spans(Kind):
    """The likeliest part of the text with its probability, and how likely the text holds no answer."""

    key = "spans"
    models = ("encoder",)
    methods = ("full", "lora")
    # On 833 questions about paragraphs MiniLM stayed below the simple rules after the two passes that quick had time
    # for (F1 0.111 against 0.276), and was above them (0.398) after the three of balanced.
    preset = "balanced"
    places_head = False
    settles = True
    tie_rows = 0.5
    # Where a passage is longer than the window it is read in several: shorter ones save nothing, and tear answers.
    shortens = False
    # Two places in a text are harder to learn than a label of it: more passes over few rows.
    recipes = {
        "quick": Recipe(4, 2, 8, 256, 4, 0),
        "balanced": Recipe(6, 2, 10, 384, 6, 3),
        "thorough": Recipe(8, 3, 12, 384, 8, 4),
    }
    rates = {"full": (1e-4, 1e-3), "lora": (5e-4, 1e-3)}

    def faults(self, task: Task, row: Row) -> list[tuple[str, dict[str, Any]]]:
        return [fault for fault in answers.reading_of(row).faults if fault[0] != "answers_several"]


kinds.register(Spans())
