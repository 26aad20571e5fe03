"""A dropped file becomes a data version and the Data tab opens on it. Shared by the Start and the Data tab."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from studio.data.importing import import_file
from studio.web.context import Page, owner


def wire(page: Page, drop: gr.File) -> None:
    """Import what is dropped on `drop`, then send the page to the Data tab with the new version."""
    made = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    @page.told
    def bring(path: str | None, request: gr.Request) -> tuple[str, None]:
        if not path:
            return "", None
        file = Path(path)
        try:
            version = import_file(page.workspace, owner(request), file, file.name)
        finally:
            # The version is the studio's own copy; Gradio's would otherwise stay for a day.
            file.unlink(missing_ok=True)
        return version.version, None

    drop.upload(
        bring, drop, [made, drop], api_visibility="private", concurrency_id="import", concurrency_limit=2
    ).success(None, made, None, js="(data) => { if (data) window.studio.open({ tab: 'data', data, run: '' }); }")
