"""Start: where do I begin? Sample cards, one's own file, a finished example, what is running."""

from __future__ import annotations

import gradio as gr

from studio.web.context import Page
from studio.web.island import island, lead
from studio.web.tabs import upload


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context."""
    lead(page.t("web.start.lead"), page.t("web.start.title"))
    drop = gr.File(
        label=page.t("web.start.drop"),
        file_count="multiple",
        type="filepath",
        height=165,
        elem_id="start-drop",
        elem_classes="drop",
    )
    upload.wire(page, drop)
    island("start", elem_id="start-island")
