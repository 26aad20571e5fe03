"""Dropped files or pasted rows become a data version and the Data tab opens on it. Shared by the Start and the Data
tab."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data import limits
from studio.data.importing import import_files, import_text
from studio.data.store import DataVersion
from studio.errors import UserError
from studio.web.context import Page, owner
from studio.web.island import island

log = logging.getLogger(__name__)
_SHOWN = 30
"""Characters by which pasted rows are called."""
_OPEN = "(data) => { if (data) window.studio.open({ tab: 'data', data, run: '' }); }"


def wire(page: Page, drop: gr.File) -> None:
    """Import what is dropped on `drop`, then send the page to the Data tab with the new version.

    Why files were refused stands below the zone until the next ones. Nothing is raised: Gradio would write "Error" over
    the zone, and take no other file.
    """
    refused = island("refused", elem_classes="refused")
    made = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    def bring(paths: list[str] | None, request: gr.Request) -> tuple[str, Any, list[str] | None]:
        if not paths:
            return "", gr.File(value=None), None
        files = [Path(path) for path in paths]
        named = [(file, file.name) for file in files]
        try:
            version, why = _brought(page, lambda: import_files(page.workspace, owner(request), named))
        finally:
            # The version is the studio's own copy; Gradio's would otherwise stay for a day.
            for file in files:
                file.unlink(missing_ok=True)
        return version, gr.File(value=None), why

    drop.upload(
        bring, drop, [made, drop, refused], api_visibility="private", concurrency_id="import", concurrency_limit=2
    ).success(None, made, None, js=_OPEN)


def paste(page: Page) -> None:
    """A box for rows, closed until it is wanted; what it holds is kept where it was refused."""
    with gr.Accordion(page.t("web.data.paste"), open=False, elem_id="data-paste"):
        box = gr.Textbox(
            label=page.t("web.data.paste_box"),
            info=page.t("web.data.paste_info"),
            lines=5,
            max_lines=12,
            elem_id="data-pasted",
        )
        refused = island("refused", elem_classes="refused")
        go = gr.Button(page.t("web.data.paste_go"), elem_id="data-paste-go")
    made = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    def bring(text: str | None, request: gr.Request) -> tuple[str, Any, list[str] | None]:
        rows = text or ""
        name = page.t("web.data.pasted", start=" ".join(rows[: 4 * _SHOWN].split())[:_SHOWN])
        version, why = _brought(page, lambda: import_text(page.workspace, owner(request), rows, name))
        return version, "" if version else gr.skip(), why

    # Of too much only as much is sent as tells that it is: the gate would cut a larger request off without a word.
    go.click(
        bring,
        box,
        [made, box, refused],
        js=f"(text) => (text ?? '').slice(0, {limits.PASTED_CHARACTERS + 1})",
        api_visibility="private",
        concurrency_id="import",
        concurrency_limit=2,
    ).success(None, made, None, js=_OPEN)


def hub(page: Page) -> None:
    """A data set of the hub by its id, closed until it is wanted; it asks `studio.web.hubdata`."""
    with gr.Accordion(page.t("web.data.hub"), open=False, elem_id="data-hub"):
        island("hubset", {"shown": True}, elem_id="data-hub-form")


def _brought(page: Page, bring: Callable[[], DataVersion]) -> tuple[str, list[str] | None]:
    """(the version's id, or "" with the sentences why not)."""
    try:
        return bring().version, None
    except UserError as error:
        return "", error.parts(page.language)
    except Exception:
        log.exception("data could not be brought in")
        return "", UserError("bug").parts(page.language)
