"""Rows are pasted, several files and an archive are dropped at once, and what cannot be put together says why."""

from __future__ import annotations

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
