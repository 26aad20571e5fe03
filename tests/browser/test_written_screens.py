"""Playgrounds that answer with text, words or marks: translation, summaries, hidden words, a text that goes on, names.

Tiny models, made on the spot and trained by the command line on the server's own workspace; what is looked at is the
page.
"""

from __future__ import annotations

import csv
import os
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tiny_runs import ROOT, at, fits, trained

sys.path += [str(ROOT / "tests" / "training"), str(ROOT / "tests" / "tasks")]
from tiny_language import WORDS, encoder_with_mask  # noqa: E402
from tiny_seq2seq import pairs, seq2seq_folder  # noqa: E402
from tiny_training import BAD, GOOD, PLAIN, save_chat, save_encoder  # noqa: E402


def save(file: Path, header: list[str], rows: list[tuple[str, ...]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return file


def prose(file: Path) -> Path:
    """A word is always followed by one of two, so that there is something to learn."""
    dice, rows = random.Random(3), []
    for _ in range(120):
        word, text = dice.randrange(len(WORDS)), []
        for _ in range(dice.randint(6, 20)):
            text.append(WORDS[word])
            word = (2 * word + dice.randrange(2)) % len(WORDS)
        rows.append((" ".join(text),))
    return save(file, ["text"], rows)


def names(file: Path) -> Path:
    """Two good words are praise, a bad one is blame; one token and its tag a line."""
    dice, blocks = random.Random(0), []
    for _ in range(160):
        parts: list[list[tuple[str, str]]] = [[(word, "O")] for word in dice.choices(PLAIN, k=5)]
        good = dice.sample(GOOD, 2)
        parts.insert(dice.randrange(5), [(good[0], "B-praise"), (good[1], "I-praise")])
        if dice.random() < 0.5:
            parts.insert(dice.randrange(5), [(dice.choice(BAD), "B-blame")])
        blocks.append("".join(f"{word}\t{tag}\n" for part in parts for word, tag in part))
    file.write_text("\n".join(blocks), encoding="utf-8")
    return file


def asked(page: Page, run: str, text: str) -> Locator:
    """The cards that answer a text."""
    at(page, "playground", run)
    page.locator("#play-text textarea").fill(text)
    page.locator("#play-send").click()
    return page.locator("#play-answers .card")


def card(cards: Locator, title: str) -> Locator:
    return cards.filter(has=cards.page.locator(f"h3:text-is('{title}')"))


def seen(page: Page, name: str) -> None:
    if folder := os.environ.get("LOOK"):
        page.wait_for_timeout(600)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def on_a_phone(visit: Callable[..., Page], run: str, text: str, mark: str) -> None:
    """The same answer in Chinese on a narrow, dark screen."""
    page = visit(width=390, height=844, dark=True, language="zh")
    cards = asked(page, run, text)
    expect(cards.locator(mark).first).to_be_visible(timeout=90_000)
    fits(page)
    seen(page, f"{run}-phone")


@pytest.mark.parametrize(
    ("task", "header"), [("translation", ["english", "chinese"]), ("summarisation", ["document", "summary"])]
)
def test_a_written_answer_stands_beside_its_source_and_the_untuned_one(
    visit: Callable[..., Page], studio: Any, tmp_path: Path, task: str, header: list[str]
):
    rows = [(row["source"], row["target"]) for row in pairs(160)]
    model = seq2seq_folder(tmp_path / "writer", "t5")
    run = trained(studio, save(tmp_path / "pairs.csv", header, rows), model, "--task", task, epochs=12)
    page = visit()
    cards = asked(page, run, "the red cat sees fish")
    tuned, before = card(cards, "Tuned model"), card(cards, "Before tuning")
    expect(tuned.locator(".answer")).to_have_text(re.compile("[猫狗鸟鱼看吃爱红大小]"), timeout=90_000)
    expect(before.locator(".answer")).to_be_visible()
    one, other = tuned.bounding_box(), before.bounding_box()
    assert one
    assert other
    assert (one["y"], one["height"]) == (other["y"], other["height"])
    assert one["x"] + one["width"] <= other["x"]
    assert other["height"] < 450
    named = {"translation": "Original", "summarisation": "Document"}[task]
    expect(page.locator("#play-text")).to_contain_text(named)
    assert tuned.locator(".answer").inner_text() != before.locator(".answer").inner_text()
    expect(page.locator("#play-beams")).to_be_visible()
    seen(page, f"{task}")
    page.locator("#play-examples button, #play-examples a").first.click()
    expect(page.locator("#play-answers")).to_contain_text("True answer", timeout=60_000)
    seen(page, f"{task}-held-out")
    at(page, "evaluate", run)
    expect(page.locator("#report-island .verdict")).to_be_visible()
    expect(page.locator("#report-island")).to_contain_text("Answers least like the data's")
    expect(page.locator("#report-island")).not_to_contain_text("had no weights for the task")
    seen(page, f"{task}-report")
    on_a_phone(visit, run, "the red cat sees fish", ".answer")


def test_a_hidden_word_gets_its_candidates(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    model = encoder_with_mask(tmp_path / "masked", head=False)
    run = trained(studio, prose(tmp_path / "prose.csv"), model, "--task", "masked_lm")
    page = visit()
    text = f"{WORDS[1]} [MASK] {WORDS[4]}"
    cards = asked(page, run, text)
    bars = card(cards, "Tuned model").locator(".bar")
    expect(bars.first).to_be_visible(timeout=90_000)
    shares = [float(one.inner_text().rstrip(" %")) for one in bars.locator(".val").all()]
    assert len(shares) > 2
    assert shares == sorted(shares, reverse=True)
    widths = [one.bounding_box()["width"] for one in bars.locator(".track i").all()]
    assert widths == sorted(widths, reverse=True)
    # A model without a language head could say nothing before: no card pretends that it did.
    expect(card(cards, "Before tuning").locator(".bar")).to_have_count(0)
    seen(page, "masked")
    page.locator("#play-text textarea").fill("no word is hidden here")
    page.locator("#play-send").click()
    expect(card(cards, "Tuned model")).to_contain_text("Put [MASK] or ___", timeout=60_000)
    at(page, "evaluate", run)
    expect(page.locator("#report-island .verdict")).to_be_visible()
    report = page.locator("#report-island")
    expect(report).to_contain_text("Before tuning this model had no weights for the task")
    expect(report.locator("h2:text-is('Hardest texts') ~ .scroll th")).to_have_text(["Text", "Loss"])
    seen(page, "masked-report")
    on_a_phone(visit, run, text, ".bar")


def test_a_text_goes_on(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    model = save_chat(tmp_path / "causal")
    run = trained(studio, prose(tmp_path / "prose.csv"), model, "--task", "causal_lm", epochs=4)
    page = visit()
    cards = asked(page, run, "the soup was")
    for title in ("Tuned model", "Before tuning"):
        answer = card(cards, title).locator(".answer")
        expect(answer.locator(".muted")).to_have_text("the soup was", timeout=90_000)
        expect(answer.locator("mark")).not_to_be_empty()
    seen(page, "causal")
    on_a_phone(visit, run, "the soup was", ".answer mark")


def test_names_are_marked_in_their_text(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    faster = ("--set", "training.head_learning_rate=0.02", "--set", "training.learning_rate=0.003")
    run = trained(studio, names(tmp_path / "names.conll"), save_encoder(tmp_path / "encoder"), *faster, epochs=20)
    page = visit()
    text = f"the soup {GOOD[0]} {GOOD[1]} and {BAD[0]} we"
    cards = asked(page, run, text)
    tuned = card(cards, "Tuned model")
    marks = tuned.locator("mark.entity")
    expect(marks).to_have_count(2, timeout=90_000)
    assert [
        one.inner_text().split("\n")[0].replace("praise", "").replace("blame", "").strip() for one in marks.all()
    ] == [
        f"{GOOD[0]} {GOOD[1]}",
        BAD[0],
    ]
    expect(marks.locator("small")).to_have_text(["praise", "blame"])
    colours = [one.evaluate("mark => getComputedStyle(mark).backgroundColor") for one in marks.all()]
    assert len(set(colours)) == 2
    assert "rgba(0, 0, 0, 0)" not in colours
    expect(tuned.locator(".chip")).to_have_text(["blame", "praise"])
    expect(card(cards, "Simple model: Dictionary of known entities").locator("mark.entity").first).to_be_visible()
    seen(page, "names")
    page.locator("#play-text textarea").fill("the and was we")
    page.locator("#play-send").click()
    expect(tuned).to_contain_text("Nothing was found in this text.", timeout=60_000)
    at(page, "evaluate", run)
    report = page.locator("#report-island")
    expect(report.locator(".verdict")).to_be_visible()
    seen(page, "names-report")
    on_a_phone(visit, run, text, "mark.entity")
