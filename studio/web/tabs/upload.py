"""A dropped file becomes a data version and the Data tab opens on it. Shared by the Start and the Data tab."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.importing import import_file
from studio.errors import UserError
from studio.web.context import Page, owner
from studio.web.island import island

log = logging.getLogger(__name__)


def wire(page: Page, drop: gr.File) -> None:
    """Import what is dropped on `drop`, then send the page to the Data tab with the new version.

    Why a file was refused stands below the zone until the next one. Nothing is raised: Gradio would write "Error" over
    the zone, and take no other file.
    """
    refused = island("refused", elem_classes="refused")
    made = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    def bring(path: str | None, request: gr.Request) -> tuple[str, Any, list[str] | None]:
        if not path:
            return "", gr.File(value=None), None
        file = Path(path)
        try:
            version = import_file(page.workspace, owner(request), file, file.name)
        except UserError as error:
            return "", gr.File(value=None), error.parts(page.language)
        except Exception:
            log.exception("a dropped file could not be brought in")
            return "", gr.File(value=None), UserError("bug").parts(page.language)
        finally:
            # The version is the studio's own copy; Gradio's would otherwise stay for a day.
            file.unlink(missing_ok=True)
        return version.version, gr.File(value=None), None

    drop.upload(
        bring, drop, [made, drop, refused], api_visibility="private", concurrency_id="import", concurrency_limit=2
    ).success(None, made, None, js="(data) => { if (data) window.studio.open({ tab: 'data', data, run: '' }); }")
