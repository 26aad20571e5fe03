"""Learning the language first in a real browser: one press, one start, both phases in view, and its measurement."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tiny_runs import ROOT, fits

sys.path.append(str(ROOT / "tests" / "training"))
from tiny_training import reviews, save_encoder  # noqa: E402


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("screens") / "reads", mask=True)


def test_one_press_one_start_two_phases(visit: Callable[..., Page], encoder: Path, tmp_path: Path):
    file = tmp_path / "moods.csv"
    file.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in reviews(400)), "utf-8")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    page.locator("#data-use").click()
    expect(page).to_have_url(re.compile("tab=train"), timeout=60_000)
    field = page.locator("#train-model input")
    expect(page.locator("#train-techniques .card[data-key=language]")).to_have_count(1, timeout=60_000)
    field.fill(f"local:{encoder}")
    field.press("Enter")
    card = page.locator("#train-techniques .card[data-key=language]")
    expect(page.locator("#train-models")).to_be_visible()
    page.locator("#train-techniques summary").click()
    expect(card).to_contain_text("at most 40 % of the chosen time", timeout=30_000)
    card.get_by_role("button").click()
    expect(card.get_by_role("button")).to_have_attribute("aria-pressed", "true", timeout=30_000)
    expect(page.locator("#train-techniques summary")).to_contain_text("1 on")
    fits(page)

    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"), timeout=60_000)
    live = page.locator("#live-island")
    expect(live.locator(".phases")).to_contain_text("learning the language", timeout=90_000)
    expect(live).to_contain_text("The language of 280 training texts is learnt", timeout=120_000)
    expect(live.locator(".chip").first).to_contain_text("Done", timeout=180_000)
    expect(live.locator(".phases")).to_contain_text("✓ learning the language")
    expect(live).to_contain_text("→ language of the data")
    expect(live.locator(".settings")).to_contain_text(
        re.compile("Came from.*language of the data → Sort texts by label")
    )

    page.goto(page.url.replace("tab=train", "tab=runs"))
    expect(page.locator("table.runs tbody tr").first).to_contain_text("→ language of the data", timeout=30_000)
    page.goto(page.url.replace("tab=runs", "tab=evaluate"))
    measured = page.locator(".measured .card[data-key=language]")
    measured.get_by_role("button").click()
    expect(measured.get_by_role("button")).to_have_text("Open the run without it", timeout=30_000)
