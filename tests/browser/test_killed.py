"""A real worker is killed under the eyes of a person: the page says so, shows where, and goes on when asked."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.starter

FLAGS = "(document.querySelector('#live-island .chart')?.layout?.annotations ?? []).filter(a => a.hovertext)"


def test_a_killed_worker_is_said_shown_and_resumed(visit: Callable[..., Page], studio: Any):
    page = visit()
    card = page.locator(".card", has_text="Only 12 rows a label")
    card.get_by_role("button", name="Train it").click()
    expect(page).to_have_url(re.compile("tab=train.*run=r-"))
    page.wait_for_function(
        "(document.querySelector('#live-island .chart')?.data?.[0]?.x ?? []).length >= 4", timeout=300_000
    )
    run = re.search(r"run=(r-[0-9a-z]+)", page.url)
    assert run is not None
    (record,) = studio.home.glob(f"*/runs/{run[1]}/attempt-1.json")
    os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)

    island = page.locator("#live-island")
    expect(island.locator("[data-state=failed]")).to_be_visible()
    sentence = "The training process was ended by signal 9 (SIGKILL)."
    expect(island.locator("[role=alert]")).to_contain_text(sentence)
    expect(island.locator(".timeline [data-event=watched]")).to_contain_text(sentence)
    page.wait_for_function(f"{FLAGS}.length == 1")
    assert page.evaluate(f"{FLAGS}[0].hovertext") == sentence
    assert page.evaluate(f"{FLAGS}[0].x") >= 4

    island.get_by_role("button", name="Resume").click()
    island.locator("[data-state=done]").wait_for(timeout=600_000)
    steps = page.evaluate("document.querySelector('#live-island .chart').data[0].x")
    assert steps == list(range(1, len(steps) + 1))
    expect(island.locator(".timeline [data-event=watched]")).to_contain_text(sentence)
