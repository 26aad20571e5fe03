"""Written texts: what is asked beside what is written, before and after tuning; how many beams it is written over."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.inference.settings import BEAMS, MOST_BEAMS
from studio.web.context import Page
from studio.web.kinds.base import Face, More, faces


class TextFace(Face):
    """An answer's text, and the setting of its search."""

    key = "text"
    named = True

    def more(self, page: Page, run: gr.Dropdown) -> More:
        with gr.Column(visible=False, elem_id="play-written") as column:
            beams = gr.Slider(
                1, MOST_BEAMS, value=4, step=1, label=page.t("web.play.beams"), info=page.t("web.play.beams_help"),
                elem_id="play-beams",
            )  # fmt: skip
        return More(column, [beams])

    def settings(self, inputs: list[Any]) -> dict[str, str]:
        """How the answer is searched for, to travel with the row."""
        return {BEAMS: str(int(inputs[0] or 1))}


faces.register(TextFace())
