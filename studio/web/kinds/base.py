"""How a result kind looks: its widgets in the playground, its charts and rendered rows on the Data tab.

What is drawn of an answer or a report stands in `assets/web/kinds/<kind>.js`: `studio.results.<kind>` draws one
prediction, `studio.sections.<kind>` what the kind adds to a report.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio.data.queries import label_words
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.registry import Registry
from studio.tasks.base import Row, Task
from studio.web.context import Page

Choice = dict[str, Any]


@dataclass
class More:
    """Components that a kind draws besides the boxes for the roles that are asked, in a column of its own, which is
    shown for its runs. `inputs` reach `Face.describe`, `filled` get the values of `Face.filled` when a run is chosen,
    `message` is filled with the text of an example where the kind has its own way of asking."""

    column: gr.Column
    inputs: list[Any] = field(default_factory=list)
    filled: list[Any] = field(default_factory=list)
    message: Any = None


class Face(ABC):
    """A kind's face. The default asks with one box a role and draws what `studio.results.<kind>` makes of answers."""

    key: ClassVar[str]
    asks: ClassVar[bool] = True
    """Whether the playground's own boxes and answers serve it; a kind with its own way draws all of it in `more`."""
    named: ClassVar[bool] = False
    """Whether a single box is named after its role, as the answer is a text of a role as well."""

    def more(self, page: Page, run: gr.Dropdown) -> More | None:
        """Draw further widgets into the current Blocks context and wire them to the chosen run; None without any."""
        return None

    def filled(self, page: Page, folder: Path) -> list[Any]:
        """What the run in `folder` fills into `More.filled`, one value each."""
        return []

    def describe(self, inputs: list[Any]) -> dict[str, str]:
        """Descriptions of labels for what the base says untuned, from the values of `More.inputs`."""
        return {}

    def settings(self, inputs: list[Any]) -> dict[str, str]:
        """What travels with a row to say how it is to be answered, from the values of `More.inputs`; names begin with
        "@", as no role does."""
        return {}

    def charts(self, page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
        """Charts of the answers on the Data tab: {"title", "x", "y", "x_title", "y_title", "horizontal"} each, or words
        by label as `word_chart` gives them."""
        return []

    def rendered(self, page: Page, version: DataVersion, use: Use) -> dict[str, Any]:
        """{"texts", "note"}: rows as the model will see them, where that is not plain."""
        return {"texts": [], "note": ""}

    def example(self, task: Task, row: Row) -> dict[str, Any]:
        """What stands on the button of a held-out row: {"text", "truth"}."""
        text = task.preview(row) if sum(role.required for role in task.asked) > 1 else task.question(row)
        return {"text": text, "truth": task.truth(row) or ""}


faces: Registry[Face] = Registry("face", "studio.web.kinds")


def label_chart(page: Page, counts: Any) -> dict[str, Any]:
    """Bars of (label, rows)."""
    return {
        "title": page.t("web.data.labels"),
        "x": [label for label, _ in counts],
        "y": [count for _, count in counts],
        "x_title": page.t("web.data.rows"),
        "horizontal": True,
    }


def word_chart(page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
    """The words that mark each label: {"title", "help", "words": [[label, [[word, its rows, rows of others]]]]}, once,
    or nothing where no word does."""
    found = label_words(version, use.task, use.columns)
    words = [[label, [[one.word, one.rows, one.others] for one in marking]] for label, marking in found]
    told = {"title": page.t("web.data.words"), "help": page.t("web.data.words_help"), "words": words}
    return [told] if words else []
