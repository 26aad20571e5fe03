"""Questions about a text in a real browser: from a nested file to the answer marked in its text, or plainly none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "training"))
from tiny_questions import encoder, rows_of  # noqa: E402

NASTY = "<img src=x onerror=\"document.title='broken'\">"


def save(file: Path, none: float = 0.35) -> Path:
    """SQuAD 2.0: a paragraph a question, `none` of them without an answer."""
    paragraphs = []
    for number, row in enumerate(rows_of(320, length=8, none=none)):
        answers = []
        if row["answers"]:
            answers = [{"text": row["answers"], "answer_start": int(row["answer_start"] or 0)}]
        asked = {"id": str(number), "question": row["question"], "answers": answers, "is_impossible": not answers}
        paragraphs.append({"context": row["context"], "qas": [asked]})
    whole = {"version": "v2.0", "data": [{"title": "Rooms", "paragraphs": paragraphs}]}
    file.write_text(json.dumps(whole), encoding="utf-8")
    return file


def trained(studio: Any, place: Path, none: float) -> str:
    """The run of the command line on the server's own workspace, with a tiny model that was made on the spot."""
    model, file = encoder(place / "encoder"), save(place / "rooms.json", none)
    settings = ("epochs=12", "learning_rate=0.002", "head_learning_rate=0.005", "evaluations=2", "max_length=64")
    command = [sys.executable, "-m", "studio.cli", "train", "--data", str(file), "--json"]
    command += ["--model", f"local:{model}", "--home", str(studio.home)]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["task"] == "qa"
    return str(told["run"])


@pytest.fixture(scope="module")
def run(studio: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(studio, tmp_path_factory.mktemp("questions"), 0.35)


def at(page: Page, tab: str, run: str) -> None:
    root = re.match(r"http://[^/]+/(en|zh)/", page.url)
    assert root
    page.goto(f"{root.group(0)}?tab={tab}&run={run}")
    page.wait_for_selector("#header .top")


def ask(page: Page, question: str, context: str) -> None:
    page.locator("#play-text textarea").fill(question)
    page.locator("#play-text-2 textarea").fill(context)
    page.locator("#play-send").click()


def fits(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px wider than the window"


def test_a_nested_file_becomes_questions(visit: Callable[..., Page], tmp_path: Path):
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(save(tmp_path / "rooms.json"))
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#data-facts")).to_contain_text("the task is to answer from the text")
    expect(page.get_by_text("questions have no answer, row")).to_be_visible()
    fits(page)


def test_the_answer_is_marked_where_it_stands(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    # Where every question has an answer, one is always given.
    run = trained(studio, tmp_path, 0.0)
    page = visit()
    at(page, "playground", run)
    expect(page.get_by_label("Text that holds the answer")).to_be_visible()
    context = f"{NASTY} 😀 had the soup fresh warm and the bed was rude"
    ask(page, "was it good", context)
    card = page.locator("#play-answers .card").filter(has_text="Tuned model")
    passage = card.locator(".passage").first
    expect(passage).to_be_visible(timeout=90_000)
    # What was typed stands there as text, to the letter.
    assert passage.inner_text() == context
    assert page.locator("#play-answers img").count() == 0
    assert page.title() != "broken"
    mark = passage.locator("mark.found")
    expect(mark).to_have_count(1)
    assert mark.inner_text() in context
    assert card.locator(".said").inner_text() == mark.inner_text()
    box, around = mark.bounding_box(), passage.bounding_box()
    assert box
    assert around
    assert box["width"] > 20
    assert box["height"] > 10
    assert around["x"] <= box["x"]
    assert box["y"] + box["height"] <= around["y"] + around["height"]
    ground, plain = (part.evaluate("node => getComputedStyle(node).backgroundColor") for part in (mark, passage))
    assert ground != plain
    # Beside it the simple model's own answer, marked in the same way.
    expect(page.locator("#play-answers .card")).to_have_count(2)

    ask(page, "was it good " * 60, "the soup was fresh warm")
    expect(card).to_contain_text("The question is too long", timeout=60_000)
    fits(page)


def test_that_there_is_no_answer_is_said_plainly(visit: Callable[..., Page], run: str):
    page = visit()
    at(page, "playground", run)
    card = page.locator("#play-answers .card").filter(has_text="Tuned model")
    ask(page, "was it good", "the soup was rude and slow we had a bed")
    expect(card.locator(".said")).to_have_text("The text holds no answer.", timeout=60_000)
    expect(card.locator("mark.found")).to_have_count(0)
    expect(card).to_contain_text(re.compile(r"That there is no answer is \d+(\.\d)? ?% likely, and from"))
    expect(card).to_contain_text("The likeliest part would have been")
    # A button of a held-out row fills both boxes and is answered beside its truth.
    page.locator("#play-examples button, #play-examples a").first.click()
    expect(page.locator("#play-answers")).to_contain_text("True answer", timeout=60_000)
    expect(page.locator("#play-text-2 textarea")).not_to_have_value("the soup was fresh warm")
    fits(page)


def test_the_report_marks_mistakes_and_all_of_it_fits_a_phone(visit: Callable[..., Page], run: str):
    for width, height, language, words in ((1440, 900, "en", "Never an answer"), (390, 844, "zh", "从不作答")):
        page = visit(width=width, height=height, dark=width < 1000, language=language)
        at(page, "evaluate", run)
        report = page.locator("#report-island")
        expect(report).to_contain_text(words)
        expect(report.locator(".passage mark.found").first).to_be_visible()
        fits(page)
    at(page, "playground", run)
    ask(page, "was it bad", "我们 had the soup was rude slow and 房间 warm")
    expect(page.locator("#play-answers .passage").first).to_be_visible(timeout=90_000)
    fits(page)
