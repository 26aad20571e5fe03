"""The main job in a real browser: a sample and a Chinese file; each page is reloaded while it trains."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.assets import assets

pytestmark = pytest.mark.starter
SAMPLES = assets() / "samples"


def curve(page: Page) -> list[int]:
    """Steps of the training loss as the chart holds them."""
    return page.evaluate("document.querySelector('#live-island .chart')?.data?.[0]?.x ?? []")


def status(page: Page) -> str:
    return page.locator("#live-island p[role=status]").inner_text()


def reload_in_the_middle(page: Page, between: Callable[[], None] | None = None) -> None:
    """Wait for a moving curve, reload (after doing `between`), and find it complete: every step once, from the first."""
    page.wait_for_function(
        "(document.querySelector('#live-island .chart')?.data?.[0]?.x ?? []).length >= 4", timeout=300_000
    )
    before = curve(page)
    if between is not None:
        between()
    page.reload()
    page.wait_for_function(
        f"(document.querySelector('#live-island .chart')?.data?.[0]?.x ?? []).length >= {len(before)}", timeout=60_000
    )
    after = curve(page)
    assert after[: len(before)] == before
    assert after == list(range(1, len(after) + 1))


def wait_done(page: Page, minutes: float = 10) -> None:
    page.locator("#live-island [data-state=done]").wait_for(timeout=minutes * 60_000)


def test_a_sample_from_its_card_to_an_answer_the_report_and_the_download(
    visit: Callable[..., Page], studio: Any, tmp_path: Path
):
    """The server is killed while it trains; a new one on the same workspace finds the run going on."""

    def crash() -> None:
        studio.kill()
        studio.start()

    page = visit()
    card = page.locator(".card", has_text="Only 12 rows a label")
    card.get_by_role("button", name="Train it").click()
    expect(page).to_have_url(re.compile("tab=train.*run=r-"))
    reload_in_the_middle(page, crash)
    wait_done(page)
    shown = page.evaluate("document.querySelector('#live-island .chart').layout.annotations.map(a => a.text)")
    names = [name for name in shown if name not in "⚑▸"]
    assert "▸" in shown, "that another server took over is a flag of its own"
    assert len(names) == 3, f"three simple models to beat, not {names}"
    expect(page.locator("#live-island .coach .say")).not_to_be_empty()

    page.locator("#live-island").get_by_role("button", name="Try it").click()
    page.locator("#play-text textarea").fill("The street lamp outside our house has been dark for a week")
    page.locator("#play-send").click()
    bars = page.locator("#play-answers .card:has(h3:text-is('Tuned model')) .bar")
    expect(bars).to_have_count(13, timeout=90_000)
    expect(page.locator("#play-answers .card")).to_have_count(3)

    page.get_by_role("tab", name="Evaluate").click()
    expect(page.locator("#report-island .verdict")).to_be_visible(timeout=60_000)
    page.locator(".matrix td", has_text=re.compile("^[1-9]")).first.click()
    expect(page.locator("#report-island td .chip").first).to_be_visible()
    with page.expect_download(timeout=120_000) as download:
        page.locator("#report-island").get_by_role("button", name="Download").click()
    saved = tmp_path / "model.zip"
    download.value.save_as(saved)
    members = zipfile.ZipFile(saved).namelist()
    assert any(name.endswith(".safetensors") for name in members)
    assert any(name.endswith("predict.py") for name in members)


def test_a_gb18030_file_with_the_chinese_model(visit: Callable[..., Page], tmp_path: Path):
    with (SAMPLES / "waimai_reviews.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    file = tmp_path / "评价.csv"
    with file.open("w", encoding="gb18030", newline="") as out:
        csv.writer(out, delimiter=";").writerows(rows)
    page = visit(language="zh")
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#data-facts")).to_contain_text("GB18030", ignore_case=True)
    expect(page.locator("#data-grid")).to_contain_text(rows[1][0][:8])
    page.locator("#data-use").click()
    expect(page).to_have_url(re.compile("tab=train"))
    expect(page.locator("#train-model input")).to_have_value(re.compile("E5"), timeout=60_000)
    page.get_by_text("高级：其余全部设置").click()
    page.locator("#option-training-epochs input").fill("1")
    page.locator("#option-training-epochs input").press("Tab")
    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"), timeout=60_000)
    reload_in_the_middle(page)
    wait_done(page)
    assert "测试集" in status(page)


def test_chat_learns_and_streams_beside_its_base(visit: Callable[..., Page], tmp_path: Path):
    lines = (SAMPLES / "email_orders.jsonl").read_text(encoding="utf-8").splitlines()[:60]
    file = tmp_path / "orders.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    page = visit()
    page.get_by_role("tab", name="Data").click()
    page.locator("#data-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-rendered pre")).to_have_count(3, timeout=60_000)
    page.locator("#data-use").click()
    expect(page.locator("#train-model input")).to_have_value(re.compile("SmolLM2"), timeout=60_000)
    expect(page.locator("#train-preflight b").first).to_be_visible(timeout=60_000)
    page.get_by_text("Advanced: every other setting").click()
    page.locator("#option-training-epochs input").fill("1")
    page.locator("#option-training-epochs input").press("Tab")
    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"), timeout=60_000)
    reload_in_the_middle(page)
    wait_done(page, minutes=12)
    page.locator("#live-island").get_by_role("button", name="Try it").click()
    page.locator("#chat-message textarea").fill(json.loads(lines[0])["messages"][0]["content"])
    page.locator("#chat-send").click()
    for side in ("#chat-before", "#chat-after"):
        expect(page.locator(f"{side} .bot").last).not_to_be_empty(timeout=120_000)
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.locator("#report-island .answer").first).to_be_visible(timeout=60_000)
