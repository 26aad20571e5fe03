"""Numbers and pairs in a real browser: from a file to a gauge, a search over one's own rows, and bars."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

sys.path.append(str(Path(__file__).parents[1] / "training"))
from tiny_training import BAD, GOOD, PLAIN, save_encoder  # noqa: E402


def sided(dice: random.Random, mood: bool) -> str:
    words = dice.choices(PLAIN, k=5) + dice.choices(GOOD if mood else BAD, k=2)
    dice.shuffle(words)
    return " ".join(words)


def save(file: Path, kind: str, rows: int = 150) -> Path:
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


def train(page: Page, file: Path, model: Path | None) -> None:
    """From the file to a run that is done; without a model, of simple ones alone."""
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"), timeout=60_000)
    expect(page.locator("#data-charts svg").first).to_be_visible()
    page.locator("#data-use").click()
    expect(page.locator("#train-models details")).to_be_attached()
    if model is None:
        page.get_by_label("Model", exact=True).first.click()
        page.get_by_role("option", name="Simple models only").click()
        expect(page.locator("#train-card")).to_contain_text("no neural model needed")
    else:
        page.locator("#train-models summary").click()
        page.locator("#train-models input[type=text]").last.fill(f"local:{model}")
        page.keyboard.press("Enter")
    page.locator("#train-start").click()
    page.locator("#live-island [data-state=done]").wait_for(timeout=240_000)


def inside(mark: Locator, track: Locator) -> bool:
    one, other = mark.bounding_box(), track.bounding_box()
    assert one
    assert other
    return other["x"] - 2 <= one["x"] <= other["x"] + other["width"] + 2 and one["width"] >= 1


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("screens") / "encoder")
