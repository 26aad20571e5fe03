"""The playground of labels and of chat, what it says while a model is loaded, and why there is no answer.

Tiny models, made on the spot; the playgrounds of the other kinds have files of their own beside this one.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tiny_runs import ROOT, at, fits, trained

sys.path.append(str(ROOT / "tests" / "training"))
from tiny_training import BAD, GOOD, PLAIN, save_chat, save_encoder  # noqa: E402

LABELS = {word: f"the label of {word}" for word in (*GOOD, *BAD)}
WAITED = """() => { window.waited = []; new MutationObserver(() => {
    const said = document.querySelector('#play-answers .working, #chat-state .working');
    if (said && !said.hidden) window.waited.push(said.textContent);
}).observe(document.body, { childList: true, subtree: true, characterData: true }); }"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("labels") / "encoder")


@pytest.fixture(scope="module")
def run(studio: Any, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve labels, a word each, learnt by an adapter."""
    dice, lines = random.Random(0), ["text,label"]
    for _ in range(20):
        for word, label in LABELS.items():
            words = [*dice.choices(PLAIN, k=5), word]
            dice.shuffle(words)
            lines.append(f"{' '.join(words)},{label}")
    file = tmp_path_factory.mktemp("rows") / "labels.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return trained(studio, file, encoder, "--task", "classification", "--method", "lora", epochs=3)


def ask(page: Page, text: str) -> None:
    page.locator("#play-text textarea").fill(text)
    page.locator("#play-send").click()


def test_why_there_is_no_answer_stands_where_it_would(visit: Callable[..., Page], encoder: Path, run: str):
    """In whole sentences, in the language of the page, until the next question."""
    away = encoder.rename(encoder.with_name("away"))
    try:
        page = visit(width=390, height=844, dark=True, language="zh")
        at(page, "playground", run)
        ask(page, "房间里有点味道")
        refusal = page.locator("#play-answers [role=alert]")
        expect(refusal).to_contain_text("请在“训练”页重新获取该基础模型", timeout=120_000)
        expect(refusal).to_contain_text("这次运行只保存了微调的部分，需要基础模型才能回答。")
        expect(page.locator("#play-answers .working")).to_be_hidden()
        assert page.get_by_text("错误", exact=True).count() == 0
        fits(page)
    finally:
        away.rename(encoder)
    ask(page, "the soup was good")
    expect(page.locator("#play-answers .card").first).to_be_visible(timeout=120_000)
    expect(refusal).to_have_count(0)
    fits(page)


def test_many_labels_fold_and_the_tuning_is_turned_down(visit: Callable[..., Page], run: str):
    page = visit()
    at(page, "playground", run)
    ask(page, "the soup room was lovely")
    tuned = page.locator("#play-answers .card:has(h3:text-is('Tuned model'))")
    bars = tuned.locator(".bar")
    expect(bars).to_have_count(len(LABELS), timeout=120_000)
    assert [bar.is_visible() for bar in bars.all()] == [True] * 8 + [False] * 4
    tuned.get_by_text("Show the other 4").click()
    expect(bars.last).to_be_visible()
    shares = [float(one.inner_text().rstrip(" %")) for one in bars.locator(".val").all()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=1)
    widths = [one.bounding_box()["width"] for one in bars.locator(".track i").all()]
    assert widths == sorted(widths, reverse=True)
    fits(page)

    # The same text is asked again when the slider moves; the others stay open.
    slider = page.locator("#play-strength input[type=range]")
    slider.focus()
    slider.press("Home")
    expect(tuned).to_contain_text("at 0 % of its tuning", timeout=60_000)
    expect(bars.last).to_be_visible()
    assert [float(one.inner_text().rstrip(" %")) for one in bars.locator(".val").all()] != shares
    page.locator("#play-examples button").first.click()
    expect(page.locator("#play-answers")).to_contain_text("True answer: the label of", timeout=60_000)

    at(page, "evaluate", run)
    expect(page.locator("#report-island .matrix tbody tr")).to_have_count(len(LABELS))
    # Where a machine is slow the curve is measured when somebody asks for it.
    measure = page.get_by_role("button", name="Measure how the score depends on the tuning strength")
    if measure.count():
        measure.click()
    curve = page.locator("#report-island .strength .bar")
    expect(curve.first).to_be_visible(timeout=120_000)
    assert [curve.first.locator(".who").inner_text(), curve.last.locator(".who").inner_text()] == ["0 %", "100 %"]
    fits(page)


def test_chat_streams_beside_its_base_and_says_how_it_ended(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    dice, file = random.Random(0), tmp_path / "talk.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for _ in range(48):
            word = dice.choice(GOOD + BAD)
            said = [("user", f"was it {word}"), ("assistant", f"yes {word}")]
            out.write(json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}) + "\n")
    run = trained(studio, file, save_chat(tmp_path / "talker"), "--task", "chat", "--method", "lora", epochs=1)
    page = visit()
    at(page, "playground", run)
    expect(page.locator("#play-asking")).to_be_hidden()
    page.evaluate(WAITED)
    page.locator("#chat-message textarea").fill("was it good")
    page.locator("#chat-send").click()
    for side in ("#chat-before", "#chat-after"):
        expect(page.locator(f"{side} .user")).to_contain_text("was it good")
        expect(page.locator(f"{side} .bot").last).not_to_be_empty(timeout=120_000)
    ended = page.locator("#chat-state .ends")
    expect(ended).to_contain_text("After tuning", timeout=120_000)
    expect(ended).to_contain_text("Before tuning")
    expect(page.locator("#chat-state .working")).to_have_count(0)
    expect(page.locator("#chat-message textarea")).to_have_value("")
    waited = page.evaluate("window.waited")
    assert any(said.startswith("Reading the model into memory") for said in waited), waited
    page.locator("#play-examples button").first.click()
    expect(page.locator("#chat-message textarea")).not_to_have_value("")
    fits(page)
