"""Chat: two conversations side by side in the playground; rows as the template writes them on the Data tab."""

from __future__ import annotations

from itertools import islice
from typing import Any

import gradio as gr

from studio.data.chat import as_messages
from studio.data.store import DataVersion, each_row
from studio.data.use import Use
from studio.errors import UserError
from studio.models.catalogue import resolve
from studio.models.template import render_rows
from studio.runs.reading import suggest_model
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.kinds.base import Face, More, faces
from studio.web.tabs import chatting

SHOWN = 3
"""Rows shown as the model will see them."""


class ChatFace(Face):
    """The assistant's answers."""

    key = "chat"
    asks = False

    def more(self, page: Page, run: gr.Dropdown) -> More:
        with gr.Column(visible=False, elem_id="play-chat") as column:
            talk = chatting.build(page, run)
        return More(column, message=talk.message)

    def rendered(self, page: Page, version: DataVersion, use: Use) -> dict[str, Any]:
        """Three usable rows as the model will see them, and what has to be known about them. A template that fails is
        told there: it must not cost the page its findings."""
        task = tasks.get(use.task)
        usable = (row for row in each_row(version, use.columns) if task.usable(row))
        talks = [as_messages(row, {role: role for role in row}) for row in islice(usable, SHOWN)]
        model = suggest_model(page.workspace, version, use)
        try:
            folder = resolve(page.workspace, model)
            note = "" if folder else page.t("web.data.as_seen_plain", model=model)
            return {"texts": render_rows(folder, talks), "note": note}
        except UserError as error:
            return {"texts": [], "note": error.text(page.language)}


faces.register(ChatFace())
