"""Numbers and pairs in a real browser: from a file to a gauge, a search over one's own rows, and bars."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tiny_runs import ROOT, at, fits, trained

sys.path.append(str(ROOT / "tests" / "training"))
from tiny_training import BAD, GOOD, PLAIN, save_encoder  # noqa: E402


def sided(dice: random.Random, mood: bool) -> str:
    words = dice.choices(PLAIN, k=5) + dice.choices(GOOD if mood else BAD, k=2)
    dice.shuffle(words)
    return " ".join(words)


def save(file: Path, kind: str, rows: int = 260) -> Path:
    """Texts whose good and bad words say the rating, or whether two of them are of one mind."""
    dice = random.Random(0)
    lines = ["review,rating" if kind == "number" else f"sentence1,sentence2,{kind}"]
    for _ in range(rows):
        one, other = dice.random() < 0.5, dice.random() < 0.5
        if kind == "number":
            lines.append(f"{sided(dice, one)},{(4.2 if one else 1.8) + dice.uniform(-0.7, 0.7):.2f}")
            continue
        score = (4.5 if one == other else 0.5) + dice.uniform(-0.5, 0.5)
        truth = f"{score:.2f}" if kind == "score" else "same" if one == other else "other"
        lines.append(f"{sided(dice, one)},{sided(dice, other)},{truth}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("screens") / "encoder")


def ask(page: Page, *texts: str) -> None:
    for number, text in enumerate(texts, 1):
        box = page.locator("#play-text textarea" if number == 1 else f"#play-text-{number} textarea")
        box.fill(text)
    page.locator("#play-send").click()


def place_of(mark: Locator, track: Locator) -> float:
    """Where a mark stands on its track, from 0 to 1; it has to be drawn."""
    one, other = mark.bounding_box(), track.bounding_box()
    assert one
    assert other
    assert one["width"] >= 1
    assert one["height"] >= other["height"]
    assert other["width"] > 40
    return (one["x"] + one["width"] / 2 - other["x"]) / other["width"]


def test_a_rating_from_its_file_to_the_gauge(visit: Callable[..., Page], studio: Any, encoder: Path, tmp_path: Path):
    file = save(tmp_path / "ratings.csv", "number")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#data-facts")).to_contain_text("the task is to tell 'rating' from 'review'")
    expect(page.locator("#data-charts svg").first).to_be_visible()
    expect(page.locator("#data-charts")).to_contain_text("Numbers")

    run = trained(studio, file, encoder)
    at(page, "playground", run)
    expect(page.locator("#play-text textarea")).to_be_visible()
    expect(page.locator("#play-search")).to_be_hidden()
    ask(page, "the soup was good great and fine")
    card = page.locator("#play-answers .card:has(h3:text-is('Tuned model'))")
    expect(card.locator(".gauge")).to_be_visible(timeout=90_000)
    high = float(card.locator(".gauge > b.num").inner_text())
    mark = place_of(card.locator(".track u"), card.locator(".track"))
    ends = [float(text) for text in card.locator(".ends small").all_inner_texts() if re.fullmatch(r"[\d.]+", text)]
    assert ends[0] < ends[1]
    assert mark == pytest.approx(min(1.0, max(0.0, (high - ends[0]) / (ends[1] - ends[0]))), abs=0.03)
    expect(page.locator("#play-answers .card")).to_have_count(2)
    ask(page, "the soup was bad awful and cold")
    expect(card.locator(".gauge > b.num")).not_to_have_text(f"{high:.1f}", timeout=60_000)
    assert float(card.locator(".gauge > b.num").inner_text()) < high

    at(page, "evaluate", run)
    report = page.locator("#report-island")
    expect(report.locator(".verdict")).to_be_visible()
    expect(report.locator(".scatter .scatterlayer .point").first).to_be_attached()
    drawn = report.locator(".scatter .points path").count()
    assert drawn == page.evaluate("document.querySelector('.scatter').data[1].x.length") > 15
    expect(report).to_contain_text("Always the mean")
    for language in ("zh", "en"):
        seen = visit(width=390, height=844, dark=True, language=language)
        at(seen, "evaluate", run)
        expect(seen.locator("#report-island .scatter .points path").first).to_be_attached()
        fits(seen)


def test_pairs_are_scored_and_the_nearest_rows_found(
    visit: Callable[..., Page], studio: Any, encoder: Path, tmp_path: Path
):
    run = trained(studio, save(tmp_path / "pairs.csv", "score"), encoder)
    page = visit()
    at(page, "playground", run)
    ask(page, "the soup was good and fine", "lovely and great staff we had")
    cards = page.locator("#play-answers .card")
    expect(cards).to_have_count(3, timeout=90_000)
    alike = cards.filter(has_text="Tuned model")
    expect(cards.filter(has_text="Before tuning").locator(".gauge")).to_be_visible()
    expect(cards.filter(has_text="Words in common").locator(".gauge")).to_be_visible()
    high = float(alike.locator(".gauge > b.num").inner_text())
    ask(page, "the soup was good and fine", "rude and awful staff we had")
    expect(alike.locator(".gauge > b.num")).not_to_have_text(f"{high:.1f}", timeout=60_000)
    assert float(alike.locator(".gauge > b.num").inner_text()) < high

    box = page.locator("#play-search textarea, #play-search input").first
    box.fill("good and lovely and fresh")
    page.locator("#play-search-go").click()
    hits = page.locator("#play-hits .hit")
    expect(hits).to_have_count(10, timeout=90_000)
    found = hits.locator("div[dir=auto]").all_inner_texts()
    # A tiny model may err once or twice; half of all texts are of the other mind.
    assert sum(bool(set(text.split()) & set(GOOD)) for text in found) >= 8, found
    shown = [float(text) for text in hits.locator("b.num").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert place_of(hits.first.locator(".track u"), hits.first.locator(".track")) > 0.5
    expect(hits.first).to_contain_text(re.compile(r"row \d+"))
    box.fill("rude and awful")
    box.press("Enter")
    expect(hits.first.locator("div[dir=auto]")).to_have_text(re.compile("|".join(BAD)), timeout=60_000)
    # The web process shows what others have worked out.
    assert "torch" not in studio.modules()

    # A button of a held-out row fills both boxes and is answered beside its truth.
    page.locator("#play-examples button, #play-examples a").first.click()
    expect(page.locator("#play-answers")).to_contain_text("True answer", timeout=60_000)
    expect(page.locator("#play-text-2 textarea")).not_to_have_value("")
    narrow = visit(width=390, height=844, dark=True, language="zh")
    at(narrow, "playground", run)
    narrow.locator("#play-search textarea, #play-search input").first.fill("good")
    narrow.locator("#play-search-go").click()
    expect(narrow.locator("#play-hits .hit")).to_have_count(10, timeout=60_000)
    fits(narrow)


def test_pairs_get_a_label_with_bars(visit: Callable[..., Page], studio: Any, encoder: Path, tmp_path: Path):
    run = trained(studio, save(tmp_path / "labels.csv", "label"), encoder)
    page = visit()
    at(page, "playground", run)
    ask(page, "the soup was good and fine", "lovely and great staff we had")
    cards = page.locator("#play-answers .card")
    expect(cards).to_have_count(2, timeout=90_000)
    bars = cards.filter(has_text="Tuned model").locator(".bar")
    expect(bars).to_have_count(2)
    assert sorted(bars.locator(".who").all_inner_texts()) == ["other", "same"]
    expect(page.locator("#play-search")).to_be_hidden()
    # Both texts have to be there.
    page.locator("#play-text-2 textarea").fill(" ")
    page.locator("#play-send").click()
    expect(page.get_by_text("There is no text")).to_be_visible()
    at(page, "evaluate", run)
    expect(page.locator("#report-island")).to_contain_text("What both texts share")
    expect(page.locator("#report-island .matrix")).to_be_visible()
