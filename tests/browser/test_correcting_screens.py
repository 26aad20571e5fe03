"""Rows corrected in the grid: labels, marked parts and answers, by keyboard, by mouse and on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from tiny_runs import fits

PASSAGE = "The mill stands in Ulm. Ulm lies on the Danube."


def brought(page: Page, file: Path, *rows: dict[str, object]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-facts")).to_contain_text(file.name)
    expect(page.locator("#data-findings .finding, #data-findings .banner").first).to_be_attached()


def opened(page: Page, cell: str, press: str) -> None:
    place = page.locator(f'#data-grid td[data-cell="{cell}"]')
    place.hover()
    place.get_by_role("button", name=press).click()


def test_marks_are_set_by_keyboard_and_mouse_and_undone(visit: Callable[..., Page], tmp_path: Path):
    page = visit()
    rows = [{"text": f"Ann {n} lives in Ulm", "entities": [{"start": 0, "end": 3, "type": "person"}] if n % 5 != 4 else []} for n in range(20)]  # fmt: skip
    brought(page, tmp_path / "people.jsonl", *rows)
    opened(page, "2:entities", "Edit row 2, entities")
    marker = page.locator("#data-grid .marker")
    expect(marker.locator("mark.entity")).to_have_text(["Annperson"])
    # The last word, by the keyboard, gets a type that there is not yet.
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(marker.get_by_role("status")).to_have_text("Chosen: Ulm")
    marker.get_by_label("another type").fill("place")
    marker.get_by_role("button", name="Add type").click()
    expect(marker.locator("mark.entity")).to_have_text(["Annperson", "Ulmplace"])
    # The first mark gets the new type by its number, then goes away; a part of a word is chosen by the mouse.
    marker.locator("mark.entity").first.click()
    page.keyboard.press("2")
    expect(marker.locator("mark.entity")).to_have_text(["Annplace", "Ulmplace"])
    page.keyboard.press("Delete")
    expect(marker.locator("mark.entity")).to_have_text(["Ulmplace"])
    page.evaluate("""() => {
        const node = document.querySelector('#data-grid .marker [data-at="0"]').firstChild;
        getSelection().setBaseAndExtent(node, 0, node, 2);
    }""")
    expect(marker.get_by_role("status")).to_have_text("Chosen: An")
    marker.get_by_role("button", name="1 person").click()
    expect(marker.locator("mark.entity")).to_have_text(["Anperson", "Ulmplace"])
    page.keyboard.press("Enter")
    cell = page.locator('#data-grid td[data-cell="2:entities"]')
    expect(cell.locator("mark.entity")).to_have_text(["Anperson", "Ulmplace"])
    # Marks move with the text before them.
    opened(page, "3:text", "Edit row 3, text")
    page.locator('#data-grid td[data-cell="3:text"] textarea').fill("Dear Ann 2 lives in Ulm")
    page.keyboard.press("Enter")
    expect(page.locator('#data-grid td[data-cell="3:entities"] mark.entity')).to_have_text("Annperson")
    page.locator("#data-save-edits").click()
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("Corrected by hand")
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("New names: place")
    expect(cell.locator("mark.entity")).to_have_text(["Anperson", "Ulmplace"])
    page.locator("#data-mending").get_by_role("button", name="Undo the last step").click()
    expect(cell.locator("mark.entity")).to_have_text(["Annperson"])


def test_an_answer_and_a_label_on_a_phone(visit: Callable[..., Page], tmp_path: Path):
    page = visit(language="zh", width=390, height=844, dark=True)
    river, town = {"text": ["Danube"], "answer_start": [40]}, {"text": ["Ulm"], "answer_start": [19]}
    rows = [
        {"question": f"Where is mill {n}?", "context": f"{PASSAGE} Mill {n}.", "answers": town if n % 3 else river}
        for n in range(20)
    ]
    brought(page, tmp_path / "mills.jsonl", *rows)
    opened(page, "1:answers", "编辑第 1 行的“answers”")
    marker = page.locator("#data-grid .marker")
    expect(marker.locator("mark.entity")).to_have_text("Danube")
    marker.locator("[data-at='24']").click()
    marker.get_by_role("button", name="1 设为答案").click()
    expect(marker.locator("mark.entity")).to_have_text("Ulm")
    fits(page)
    marker.get_by_role("button", name="确定").click()
    expect(page.locator('#data-grid td[data-cell="1:answers"]')).to_contain_text('"answer_start": [24]')
    page.locator("#data-save-edits").click()
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("手工修改")

    brought(page, tmp_path / "words.jsonl", *({"text": f"水壶 {n} 很好", "label": "好评" if n % 2 else "差评"} for n in range(20)))  # fmt: skip
    opened(page, "1:label", "编辑第 1 行的“label”")
    cell = page.locator('#data-grid td[data-cell="1:label"]')
    cell.get_by_role("combobox").select_option("其他标签…")
    cell.get_by_label("新标签").fill("中评")
    page.keyboard.press("Enter")
    expect(cell).to_contain_text("中评")
    fits(page)
    page.locator("#data-save-edits").click()
    expect(page.locator("#data-mending ol.done > li")).to_contain_text("中评")
