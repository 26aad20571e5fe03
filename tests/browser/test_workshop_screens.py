"""A messy file is brought in, five findings are fixed by clicking, one is taken back, and what is left is trained on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from studio.assets import assets

FIXED = ("text_markup", "personal_data", "labels_spelling", "cells_missing", "rows_contradict")


def settled(page: Page, steps: int) -> None:
    """The version with so many steps is shown, and the doctor has looked at it."""
    expect(page.locator("#data-mending ol.done > li")).to_have_count(steps)
    expect(page.locator("#data-findings [role=status].working")).to_have_count(0)
    expect(page.locator("#data-findings .finding").first).to_be_visible()


def told_at_a_glance(page: Page) -> None:
    about = page.locator("#data-about")
    expect(about.locator("ul.about")).to_contain_text("204 rows with 4 columns")
    expect(about.locator("table tbody tr")).to_have_count(4)
    expect(about.locator(".bar.top .who")).to_have_text("English")
    expect(about.locator("ol.frequent > li").first).to_contain_text("times")


def fixed_one_by_one(page: Page) -> None:
    """Five findings, each by the step that it comes with."""
    # Missing text, and missing labels: the first of them.
    for turn, code in enumerate(FIXED, 1):
        finding = page.locator(f"#data-findings [data-code={code}]").first
        if turn == 1:
            finding.get_by_role("button", name="What it changes").click()
            expect(finding.locator(".pair del").first).to_be_visible()
        finding.get_by_role("button", name="Fix", exact=True).click()
        settled(page, turn)
    expect(page.locator("#data-findings [data-code=text_markup]")).to_have_count(0)
    expect(page.locator("#data-findings [data-code=personal_data]")).to_have_count(0)


def undone_and_taken_out(page: Page) -> None:
    page.locator("#data-mending").get_by_role("button", name="Undo the last step").click()
    settled(page, 4)
    expect(page.locator("#data-findings [data-code=rows_contradict]")).to_be_visible()
    # One from the middle is taken out, the later ones are done again without it.
    page.locator("#data-mending").get_by_role("button", name="Take out: Redact personal data").click()
    settled(page, 3)
    expect(page.locator("#data-findings [data-code=personal_data]")).to_be_visible()
    expect(page.locator("#data-findings [data-code=labels_spelling]")).to_have_count(0)
    page.locator("#data-findings [data-code=personal_data]").get_by_role("button", name="Fix", exact=True).click()
    settled(page, 4)


def told_by_versions(page: Page) -> None:
    page.locator("#data-mending details.versions > summary").click()
    versions = page.locator("#data-mending li.version")
    expect(versions).to_have_count(8)
    expect(page.locator("#data-mending li.version.current")).to_contain_text("Steps: 4")
    first = versions.first
    first.get_by_role("button", name="Compare").click()
    expect(first.locator(".preview")).to_contain_text("changed:")
    with page.expect_download() as download:
        first.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "comments.csv"


def trained_on(page: Page, studio: Any, version: str) -> None:
    page.locator("#data-mending").get_by_role("button", name="Train on this version").click()
    expect(page).to_have_url(re.compile(f"tab=train.*data={version}"))
    page.get_by_label("Model", exact=True).first.click()
    page.get_by_role("option", name="Simple models only").click()
    expect(page.locator("#train-card")).to_contain_text("no neural model needed")
    page.locator("#train-start").click()
    expect(page).to_have_url(re.compile("run=r-"))
    page.locator("#live-island [data-state=done]").wait_for(timeout=240_000)
    run = re.search(r"run=(r-[0-9a-z]+)", page.url)
    assert run is not None
    (spec,) = studio.home.glob(f"*/runs/{run[1]}/spec.json")
    assert f'"data": "{version}"' in spec.read_text(), "the run names the version it was made with"


def test_five_findings_are_fixed_one_is_undone_and_the_rest_is_trained_on(
    visit: Callable[..., Page], studio: Any, tmp_path: Path
):
    file = tmp_path / "comments.csv"
    file.write_bytes((assets() / "samples" / "messy.csv").read_bytes())
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("tab=data.*data=d-"))
    root = re.search(r"data=(d-[0-9a-f]+)", page.url)
    assert root is not None
    settled(page, 0)
    told_at_a_glance(page)
    fixed_one_by_one(page)
    undone_and_taken_out(page)
    told_by_versions(page)

    # A step by hand, with its form.
    page.locator("#data-mending").get_by_role("button", name="Add a step").click()
    page.locator("#step-key").select_option("drop_rare")
    page.locator("#step-rows").fill("20")
    page.locator(".stepform").get_by_role("button", name="Apply").click()
    settled(page, 5)
    made = re.search(r"data=(d-[0-9a-f]+)", page.url)
    assert made is not None
    assert made[1] != root[1]
    trained_on(page, studio, made[1])

    # What a run was made with stays; the screen does not offer to delete it.
    page.evaluate(f"studio.open({{ tab: 'data', data: '{made[1]}', run: '' }})")
    settled(page, 5)
    expect(page.locator("#data-mending li.version.current")).to_contain_text("Used by")
    expect(page.locator("#data-mending li.version.current").get_by_role("button", name="Delete")).to_have_count(0)
    page.locator("#data-mending li.version:not(.current)").last.get_by_role("button", name="Delete").click()
    expect(page.locator("#data-mending li.version")).to_have_count(8)
    page.locator(".banner", has_text="Deleted").get_by_role("button", name="Undo").click()
    settled(page, 5)


def test_a_step_that_cannot_be_says_why_and_changes_nothing(visit: Callable[..., Page], tmp_path: Path):
    file = tmp_path / "kettles.csv"
    file.write_text("text,label\n" + "".join(f"kettle {n} is fine,{n % 2}\n" for n in range(60)))
    page = visit(language="zh", width=390, height=844)
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-findings .finding").first).to_be_attached()
    page.locator("#data-mending").get_by_role("button", name="添加步骤").click()
    page.locator("#step-key").select_option("replace")
    page.locator("#step-find").fill("(a+)+$")
    page.locator(".stepform").get_by_label("正则表达式").check()
    page.locator("#step-find").fill("(")
    page.locator(".stepform").get_by_role("button", name="应用").click()
    expect(page.locator("[role=alert]")).to_contain_text("不能用作匹配模式")
    expect(page.locator("#data-mending ol.done")).to_have_count(0)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def test_rows_are_sorted_filtered_and_corrected_where_they_stand(visit: Callable[..., Page], tmp_path: Path):
    file = tmp_path / "kettles.csv"
    lines = [f"kettle {n:02d} is {'fine' if n % 2 else 'broken'},{'yes' if n % 2 else 'no'}\n" for n in range(60)]
    file.write_text("text,label\n" + "".join(lines))
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    settled(page, 0)
    grid = page.locator("#data-grid")
    expect(grid).to_contain_text("Rows 1–25 of 60")
    grid.locator("th", has_text="text").get_by_role("button").click()
    grid.locator("th[aria-sort=ascending]", has_text="text").get_by_role("button").click()
    expect(grid.locator("th[aria-sort=descending]")).to_have_count(1)
    expect(grid.locator("tbody tr").first).to_contain_text("kettle 59")
    page.locator("#data-filter").select_option(label="no")
    expect(grid.locator("tbody tr").first).to_contain_text("kettle 58")
    expect(grid).to_contain_text("Rows 1–25 of 30")
    search = page.locator("#data-search input")
    search.press_sequentially("kettle 5")
    expect(grid).to_contain_text("Rows 1–5 of 5")

    cell = grid.locator('td[data-cell="59:label"]')
    cell.hover()
    cell.get_by_role("button", name="Edit row 59, label").click()
    cell.get_by_role("combobox").select_option("yes")
    cell.get_by_role("button", name="Keep").click()
    page.locator("#data-save-edits").click()
    settled(page, 1)
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("Corrected by hand")
    search.press_sequentially("kettle 58")
    expect(grid.locator("tbody tr")).to_have_count(1)
    expect(grid.locator("tbody tr").first).to_contain_text("yes")
