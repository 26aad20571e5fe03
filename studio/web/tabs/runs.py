"""Runs: what have I tried? The list draws itself from the page's own routes."""

from __future__ import annotations

from studio.web.context import Page
from studio.web.island import island, lead


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context."""
    lead(page.t("web.runs.lead"))
    island("runs", elem_id="runs-island")
