"""The earlier texts of a conversation in the playground, for runs that read them before a text."""

from __future__ import annotations

import gradio as gr

from studio.data.queries import earlier
from studio.data.store import find_version
from studio.web.context import Page
from studio.web.tabs import bounds


def box(page: Page) -> gr.Textbox:
    """A line a text, the oldest first; shown for such runs only."""
    return gr.Textbox(
        label=page.t("web.play.earlier"),
        info=page.t("web.play.earlier_info"),
        lines=2,
        max_lines=12,
        max_length=bounds.TEXT,
        visible=False,
        elem_id="play-earlier",
    )


def context_of(page: Page, run: str) -> int:
    """How many earlier rows the run's model reads before a text."""
    return int(page.desk.spec(run).options.get("task", {}).get("context", 0))


def before(page: Page, run: str, place: int) -> str:
    """What the model read before the row at `place` of the run's data. Raises UserError."""
    spec, most = page.desk.spec(run), context_of(page, run)
    if not most:
        return ""
    return earlier(find_version(page.workspace, spec.data), spec.columns, [place], most)[0][-bounds.TEXT :]
