"""Evaluate: how good is it, where is it wrong, and is it better than something simple?"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from studio.web.context import Page
from studio.web.island import island, lead
from studio.web.tabs.choose import finished_runs, pick


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context."""
    lead(page.t("web.report.lead"))
    chosen = gr.Dropdown(label=page.t("web.report.run"), choices=[], value=None, elem_id="report-run")
    page.parts["report_run"] = chosen
    page.parts["report_shown"] = island("report", elem_id="report-island")
    chosen.input(None, chosen, None, js="(run) => window.studio.open({ run, tab: 'evaluate' })")


def arrive(page: Page, address: dict[str, str]) -> dict[str, Any]:
    """Choices and value for an address."""
    if address["tab"] != "evaluate":
        return {}
    choices = finished_runs(page, "has_report")
    chosen = pick(choices, address["run"])
    # A run without a report yet is asked for all the same: the page says so in its place.
    shown = {"run": address["run"] or chosen or "", "asked": time.time()}
    return {"report_run": gr.Dropdown(choices=choices, value=chosen), "report_shown": shown}
