"""Rows are pasted, several files and an archive are dropped at once, and what cannot be put together says why."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect


def test_rows_are_pasted(visit: Callable[..., Page]):
    page = visit(language="zh", width=390, height=844)
    page.evaluate("studio.open({ tab: 'data' })")
    page.get_by_role("button", name="或粘贴数据").click()
    page.get_by_role("button", name="导入这些数据").click()
    expect(page.locator("#data-paste [role=alert]")).to_contain_text("没有粘贴任何内容")
    box = page.locator("#data-pasted textarea")
    box.evaluate(
        "box => { box.value = 'x'.repeat(6000000); box.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.get_by_role("button", name="导入这些数据").click()
    expect(page.locator("#data-paste [role=alert]")).to_contain_text("粘贴的内容超过 1000000 个字符")
    assert box.evaluate("box => box.value.length") == 6_000_000, "what was refused is kept"
    rows = "\n".join(f"味道很好，下次还来 {n}\t{'好评' if n % 2 else '差评'}" for n in range(60))
    page.locator("#data-pasted textarea").fill(f"评论\t情感\n{rows}")
    page.get_by_role("button", name="导入这些数据").click()
    expect(page.locator("#data-facts")).to_contain_text("60 行，2 列，TSV")
    expect(page.locator("#data-grid")).to_contain_text("味道很好，下次还来 0")
    expect(page.locator("#data-pasted textarea")).to_have_value("")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def test_several_files_are_dropped_at_once(visit: Callable[..., Page], tmp_path: Path):
    rows = "text,label\n" + "".join(f"kettle {n} is fine,{'yes' if n % 2 else 'no'}\n" for n in range(40))
    one, two, odd = tmp_path / "one.csv", tmp_path / "two.zip", tmp_path / "odd.csv"
    one.write_text(rows)
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("inner.csv", rows.replace("kettle", "teapot"))
    odd.write_text("a,b\n1,2\n3,4\n")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files([one, odd])
    expect(page.locator(".refused [role=alert]").first).to_contain_text(
        "'one.csv' and 'odd.csv' have different columns: text, label against a, b."
    )
    page.locator("#start-drop input[type=file]").set_input_files([one, two])
    expect(page.locator("#data-facts")).to_contain_text("one.csv + 1: 80 rows, 3 columns, CSV")
    page.locator("#data-filter").select_option(label="two.zip/inner.csv")
    expect(page.locator("#data-grid tbody tr").first).to_contain_text("teapot 0")
    expect(page.locator("#data-grid")).to_contain_text("Rows 1–25 of 40")


def test_the_split_goes_by_a_column(visit: Callable[..., Page], tmp_path: Path):
    file = tmp_path / "kettles.csv"
    lines = [
        f"kettle {n} is fine,{'yes' if n % 2 else 'no'},{'test' if n < 40 else 'train'},2024-02-{1 + n // 8:02d}\n"
        for n in range(200)
    ]
    file.write_text("text,label,part,day\n" + "".join(lines))
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    found = page.locator("#data-findings")
    expect(found).to_contain_text("140 rows to train, 30 to validate, 30 to test")
    expect(found).to_contain_text("The column 'part' says which rows train and which test.")
    page.locator("#data-split button").first.click()
    expect(page.locator("#split-column")).to_have_count(0)
    page.locator("#split-how input").click()
    page.get_by_role("option", name="As a column says").click()
    expect(page.locator("#split-column input")).to_have_value("part")
    expect(found).to_contain_text("136 rows to train, 24 to validate, 40 to test")
    page.locator("#split-column input").click()
    page.get_by_role("option", name="label", exact=True).click()
    expect(found).to_contain_text("200 rows name no part of the split in 'label'; seen are: no, yes.")
    page.locator("#split-how input").click()
    page.get_by_role("option", name="Test on the latest").click()
    expect(page.locator("#split-column input")).to_have_value("day")
    expect(found).to_contain_text("140 rows to train, 30 to validate, 30 to test")
    page.locator("#data-use").click()
    expect(page).to_have_url(re.compile("tab=train"))
    page.evaluate("studio.open({ tab: 'data' }, true)")
    expect(page.locator("#split-how input")).to_have_value("Test on the latest")


def test_personal_data_is_told_before_the_start_and_protected(visit: Callable[..., Page], tmp_path: Path):
    file = tmp_path / "letters.csv"
    rows = [f"letter {n} from ann{n}@mail.example,{'yes' if n % 2 else 'no'}\n" for n in range(80)]
    file.write_text("text,label\n" + "".join(rows))
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-findings [data-code=personal_data]")).to_be_visible()
    page.locator("#data-use").click()
    warned = page.locator("#train-preflight [data-code=personal_data]")
    expect(warned).to_contain_text("Texts in 'text' with personal data: 80, the first is row 1. Found: e-mail (80).")
    expect(page.locator("#train-start")).to_be_enabled()
    warned.get_by_role("button", name="Protect it first").click()
    expect(page.locator("#step-key")).to_have_value("redact")
    expect(page.locator("#step-key")).to_be_in_viewport()
    page.locator(".stepform").get_by_role("button", name="Apply").click()
    expect(page.locator("#data-mending ol.done > li")).to_have_count(1)
    page.locator("#data-mending").get_by_role("button", name="Train on this version").click()
    expect(page.locator("#train-preflight .pre")).to_be_visible()
    expect(page.locator("#train-preflight")).to_contain_text("Ready")
    expect(page.locator("#train-preflight [data-code=personal_data]")).to_have_count(0)
