"""Labels that look wrong are accepted or turned down one by one, saved as one step, and taken back."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from studio.assets import assets


def noisy(path: Path) -> None:
    """The help desk's messages with every twentieth label wrong."""
    with (assets() / "samples" / "help_desk.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["message"], row["team"]) for row in csv.DictReader(file) if row["message"] and row["team"]]
    chance, teams = random.Random(1), sorted({team for _, team in rows})
    wrong = set(chance.sample(range(len(rows)), 20))
    with path.open("w", encoding="utf-8", newline="") as out:
        made = [(text, chance.choice([one for one in teams if one != team]) if place in wrong else team) for place, (text, team) in enumerate(rows)]  # fmt: skip
        csv.writer(out).writerows([("text", "label"), *made])


def test_suggested_labels_are_decided_one_by_one_and_become_one_step(visit: Callable[..., Page], tmp_path: Path):
    noisy(tmp_path / "desk.csv")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(tmp_path / "desk.csv")
    marked = page.locator("#data-charts .marking")
    expect(marked).to_contain_text("Words that mark each label")
    expect(marked.locator("dt")).to_have_count(8)
    expect(marked.locator("dt:text-is('account') + dd .chip", has_text="password")).to_have_attribute(
        "title", re.compile("rows of this label")
    )
    doubts = page.locator("#data-doubts")
    expect(doubts).to_contain_text("After a training on this version")
    page.locator("#doubts-look").click()
    expect(doubts.locator("[role=status]")).to_contain_text("Rows that look mislabelled:")
    rows = doubts.locator("tbody tr")
    expect(rows).to_have_count(20)
    one, two, three = (rows.nth(place).get_attribute("data-row") for place in range(3))
    rows.nth(0).get_by_role("button", name="Accept").click()
    rows.nth(1).get_by_role("button", name="Accept").click()
    rows.nth(1).get_by_role("button", name="Take back").click()
    rows.nth(1).get_by_role("button", name="Label is right").click()
    expect(doubts.locator(f"tr[data-row='{two}']")).to_have_count(0)
    doubts.locator(f"tr[data-row='{three}']").get_by_role("button", name="Accept").click()
    first = doubts.locator(f"tr[data-row='{one}'] b").inner_text()
    page.get_by_role("button", name="Save 2 accepted as a new version").click()
    expect(page.locator("#data-mending ol.done > li")).to_have_count(1)
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("Corrected by hand")
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("2")
    page.locator("#data-mending ol.done details summary").click()
    expect(page.locator("#data-mending ol.done .pair").first).to_contain_text(first)

    # A run on this version: its report leads back here, and its answers count.
    page.locator("#data-mending").get_by_role("button", name="Train on this version").click()
    expect(page).to_have_url(re.compile("tab=train"))
    page.locator("#train-model input").click()
    page.get_by_role("option", name="Simple models only").click()
    expect(page.locator("#train-card")).to_contain_text("no neural model needed")
    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"))
    page.locator("#live-island [data-state=done]").wait_for(timeout=240_000)
    run = re.search(r"run=(r-[0-9a-z]+)", page.url)
    assert run is not None
    page.evaluate(f"studio.open({{ tab: 'evaluate', run: '{run[1]}' }})")
    page.get_by_role("button", name="Check the labels").click()
    expect(doubts).to_contain_text("The test answers of the run")
    expect(doubts.locator("[role=status]")).to_contain_text("Rows that look mislabelled:")
    page.locator("#data-mending").get_by_role("button", name="Undo the last step").click()
    expect(page.locator("#data-mending ol.done")).to_have_count(0)
    answers_are_corrected(page, run[1], tmp_path)


def answers_are_corrected(page: Page, run: str, folder: Path) -> None:
    """What a run got wrong leads to these rows of its data; its answers to a file become data of their own."""
    page.evaluate(f"studio.open({{ tab: 'evaluate', run: '{run}' }})")
    page.get_by_role("button", name="Correct these rows in the data").click()
    grid = page.locator("#data-grid")
    expect(grid).to_contain_text("Only rows that the run")
    expect(grid.locator("td[data-label=label] small").first).to_contain_text("The model said: ")
    grid.get_by_role("button", name="Show all rows").click()
    expect(grid).to_contain_text("Rows 1–25 of 392")

    (folder / "new.csv").write_text("text\n" + "".join(f"My password of day {n} does not work\n" for n in range(30)))
    page.evaluate(f"studio.open({{ tab: 'playground', run: '{run}' }})")
    page.locator("#play-file button").first.click()
    page.locator("#play-drop input[type=file]").set_input_files(folder / "new.csv")
    page.get_by_role("button", name="Correct these answers and learn from them").click()
    expect(page.locator("#data-facts")).to_contain_text("Answers to new.csv: 30 rows")
    expect(page.locator("#data-facts")).to_contain_text("Answers of the run")
    cell = grid.locator('td[data-cell="1:predicted_label"]')
    expect(page.locator("#role-classification-label input")).to_have_value("predicted_label")
    cell.hover()
    cell.get_by_role("button", name="Edit row 1, predicted_label").click()
    expect(cell.get_by_role("combobox")).to_be_focused()


def test_on_a_phone_in_chinese(visit: Callable[..., Page], tmp_path: Path):
    noisy(tmp_path / "desk.csv")
    page = visit(language="zh", width=390, height=844)
    page.locator("#start-drop input[type=file]").set_input_files(tmp_path / "desk.csv")
    page.locator("#doubts-look").click()
    expect(page.locator("#data-doubts [role=status]")).to_contain_text("像是标错了")
    page.locator("#data-doubts tbody tr").first.get_by_role("button", name="采纳").click()
    expect(page.get_by_role("button", name="把采纳的 1 条存为新版本")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
