"""The Gradio page of one language: a header, tabs in the order of the work, and the bridge to the page's address."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.web.context import Page
from studio.web.island import island
from studio.web.tabs import data, evaluate, playground, runs, start, train
from studio.web.tabs.bounds import sent

TABS = {"start": start, "data": data, "train": train, "runs": runs, "evaluate": evaluate, "playground": playground}


def build(desk: Desk, inference: InferenceClient, language: str) -> gr.Blocks:
    """Every tab in `language`, and the events that bring the page to an address and back after a reload."""
    page = Page(desk, inference, language)
    with gr.Blocks(
        title=page.t("web.name"), analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as blocks:
        # While it is empty: Gradio makes its whole application anew for this, with a copy of all that is in it.
        blocks.queue(default_concurrency_limit=20, max_size=200)
        island("header", elem_id="header")
        bridge = island("bridge", elem_id="bridge")
        with gr.Tabs(elem_id="tabs") as tabs:
            for key, tab in TABS.items():
                with gr.Tab(page.t(f"web.tab.{key}"), id=key, elem_id=f"tab-{key}") as opened:
                    tab.build(page)
                opened.select(None, None, None, js=f"() => window.studio.tabbed({key!r})")
        outputs = [tabs, *page.parts.values()]

        @page.told
        def go(event: gr.EventData) -> list[Any]:
            """Bring tabs and forms to the address that the page's scripts hand over."""
            asked = sent(event)
            return arrive(asked, there=bool(asked.get("there")))

        @page.told
        def load(request: gr.Request) -> list[Any]:
            return arrive(dict(request.query_params))

        def arrive(address: dict[str, Any], there: bool = False) -> list[Any]:
            wanted = {key: str(address.get(key) or "")[:80] for key in ("tab", "run", "data", "from", "with")}
            tab = wanted["tab"] if wanted["tab"] in TABS else ""
            found: dict[str, Any] = {name: gr.skip() for name in page.parts}
            for part in TABS.values():
                if not hasattr(part, "arrive"):
                    continue
                try:
                    found |= part.arrive(page, wanted)
                except UserError as error:
                    # An address of something that is gone still opens the page, without it.
                    gr.Warning(error.text(page.language))
                    found |= part.arrive(page, {**wanted, "run": "", "data": "", "from": ""})
            # Without a tab in the address, or at one opened by hand, a person may have gone elsewhere meanwhile.
            shown = gr.Tabs(selected=tab) if tab and not there else gr.skip()
            return [shown, *(found[name] for name in page.parts)]

        # "once", which is usual, drops an address that is asked for while the one before is on its way; "always_last"
        # asks again without saying for which. These are answered one after the other, so the last address is shown.
        told: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        bridge.click(go, None, outputs, trigger_mode="multiple", concurrency_limit=1, **told)
        blocks.load(load, None, outputs, **told)
    return blocks  # type: ignore[no-any-return]
