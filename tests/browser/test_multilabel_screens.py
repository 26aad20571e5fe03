"""Several labels a text in a real browser: from a file with a column a label to bars with a mark at each threshold."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

_PLAIN = "the a room was and there it street table window door we came to again".split()


_SIGNS = {"praise": "lovely", "blame": "awful", "asks": "please"}


def save(file: Path, rows: int = 150) -> None:
    """Texts whose words say which of three labels they hold, each label a column of 0 and 1."""
    dice, lines = random.Random(0), [",".join(["text", *_SIGNS])]
    for _ in range(rows):
        held = {label: dice.random() < 0.5 for label in _SIGNS}
        words = dice.choices(_PLAIN, k=6) + [word for label, word in _SIGNS.items() if held[label]]
        dice.shuffle(words)
        lines.append(",".join([" ".join(words), *(str(int(yes)) for yes in held.values())]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_columns_of_nought_and_one_to_bars_with_thresholds(visit: Callable[..., Page], tmp_path: Path):
    file = tmp_path / "tags.csv"
    save(file)
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#data-charts svg").first).to_be_visible()
    page.locator("#data-use").click()
    expect(page.locator("#train-models details")).to_be_attached()
    page.locator("#train-model input").click()
    page.get_by_role("option", name="Simple models only").click()
    expect(page.locator("#train-card")).to_contain_text("no neural model needed")
    page.locator("#train-start").click()
    page.locator("#live-island [data-state=done]").wait_for(timeout=240_000)
    expect(page.get_by_text("is not a model the studio knows")).to_have_count(0)

    page.locator("#live-island").get_by_role("button", name="Try it").click()
    page.locator("#play-text textarea").fill("the room was lovely and the table awful")
    page.locator("#play-send").click()
    cards = page.locator("#play-answers .card")
    expect(cards).to_have_count(2, timeout=90_000)
    learnt = cards.filter(has_text="Word statistics")
    expect(learnt.locator(".chip.good")).to_have_text(["blame", "praise"])
    expect(learnt.locator(".bar")).to_have_count(3)
    marks = learnt.locator(".bar .threshold")
    expect(marks).to_have_count(3)
    for place in range(3):
        mark, track = marks.nth(place).bounding_box(), learnt.locator(".bar .track").nth(place).bounding_box()
        assert mark
        assert track
        assert mark["width"] >= 1
        assert track["x"] < mark["x"] < track["x"] + track["width"]

    # The trivial baseline gives some label: one that gives none would score 0 and be beaten by anything.
    expect(cards.filter(has_text="commonest set").locator(".chip.good").first).to_be_visible()

    page.get_by_role("tab", name="Evaluate").click()
    report = page.locator("#report-island")
    expect(report.locator(".verdict")).to_be_visible(timeout=60_000)
    expect(report).to_contain_text("The commonest set of labels")
    expect(report).to_contain_text("Exact match")
    address = page.url
    for width, dark, language in ((390, False, "zh"), (390, True, "en")):
        seen = visit(width=width, height=844, dark=dark, language=language)
        seen.goto(address.replace("/en/", f"/{language}/"))
        expect(seen.locator("#report-island .verdict")).to_be_visible(timeout=60_000)
        wide = seen.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"the report is {wide} px wider than the window"
