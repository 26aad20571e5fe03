"""Context in a real browser: columns recognised, one press, the model's answer changes with what came before."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tiny_runs import ROOT, fits

sys.path.append(str(ROOT / "tests" / "training"))
from tiny_training import BAD, GOOD, save_encoder  # noqa: E402


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("screens") / "talks")


def talks() -> str:
    """Two rows a conversation; the second one's label is told by the first alone."""
    lines = ["text,label,conversation_id,turn"]
    for number in range(120):
        label, word = ("positive", GOOD[number // 2 % 6]) if number % 2 else ("negative", BAD[number // 2 % 6])
        lines += [
            f"the soup {number} was {word},{label},t{number},1",
            f"and the staff {number} was,{label},t{number},2",
        ]
    return "\n".join(lines)


def test_from_the_columns_to_an_answer_that_depends_on_what_came_before(
    visit: Callable[..., Page], encoder: Path, tmp_path: Path
):
    file = tmp_path / "talks.csv"
    file.write_text(talks(), "utf-8")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#role-classification-thread input")).to_have_value("conversation_id")
    expect(page.locator("#role-classification-turn input")).to_have_value("turn")
    expect(page.locator("#data-findings")).to_contain_text("'conversation_id' names 120 conversations")
    fits(page)
    page.locator("#data-use").click()
    expect(page).to_have_url(re.compile("tab=train"), timeout=60_000)
    card = page.locator("#train-techniques .card[data-key=context]")
    expect(card).to_have_count(1, timeout=60_000)
    field = page.locator("#train-model input")
    field.fill(f"local:{encoder}")
    field.press("Enter")
    expect(page.locator("#train-models")).to_be_visible()
    page.locator("#train-techniques summary").click()
    expect(card).to_contain_text("times as long", timeout=30_000)
    card.get_by_role("button").click()
    expect(card.get_by_role("button")).to_have_attribute("aria-pressed", "true", timeout=30_000)
    fits(page)
    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"), timeout=60_000)
    expect(page.locator("#live-island .chip").first).to_contain_text("Done", timeout=300_000)

    page.goto(page.url.replace("tab=train", "tab=evaluate"))
    report = page.locator("body")
    expect(report).to_contain_text("read up to 3 earlier rows of the conversation")
    measured = page.locator(".measured .card[data-key=context]")
    measured.get_by_role("button").click()
    expect(measured.get_by_role("button")).to_have_text("Open the run without it", timeout=30_000)

    page.goto(page.url.replace("tab=evaluate", "tab=playground"))
    earlier = page.locator("#play-earlier textarea")
    expect(earlier).to_be_visible(timeout=60_000)
    answers = page.locator("#play-answers")
    for word, label in (("good", "positive"), ("awful", "negative")):
        earlier.fill(f"the soup was {word}")
        page.locator("#play-text textarea").fill("and the staff was")
        page.locator("#play-send").click()
        tuned = answers.locator(".card:has(h3:text-is('Tuned model'))")
        expect(tuned.locator(".bar.top .who")).to_have_text(label, timeout=60_000)
        expect(answers).to_contain_text("It reads the text alone")
        expect(answers.locator(".stale")).to_have_count(0)
    earlier.fill("the soup was fine")
    expect(answers.locator(".stale")).to_have_count(1)
    page.locator("#play-examples button").first.click()
    expect(answers).to_contain_text("True answer", timeout=60_000)
    fits(page)
