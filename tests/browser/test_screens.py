"""The screens themselves: every tab draws, in both languages and shades and on a phone, and hides nothing dead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

TABS = ("start", "data", "train", "runs", "evaluate", "playground")


@pytest.mark.parametrize(
    ("width", "dark", "language"), [(1440, False, "en"), (1440, True, "zh"), (390, False, "zh"), (390, True, "en")]
)
def test_every_tab_opens_without_overflow(visit: Callable[..., Page], width: int, dark: bool, language: str):
    page = visit(width=width, height=844 if width == 390 else 900, dark=dark, language=language)
    for tab in TABS:
        page.evaluate(f"studio.open({{ tab: '{tab}', run: '' }})")
        expect(page).to_have_url(re.compile(f"tab={tab}"))
        expect(page.locator("[role=tabpanel]:visible .lead").first).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{tab} is {wide} px wider than the window"
    assert page.evaluate("document.body.classList.contains('dark')") is dark


HEAVY = ("torch", "transformers", "datasets", "peft", "accelerate", "sklearn")


def test_the_server_process_never_loads_a_heavy_library(visit: Callable[..., Page], studio: Any, tmp_path: Path):
    """Every tab is opened with something in it: data, a form that was checked, a run, its answers and its report."""
    file = tmp_path / "mixed.csv"
    said = ("a cat sat here", "dogs bark at night", "the soup was cold")
    file.write_text("text,label\n" + "".join(f"{said[n % 3]} {n},{said[n % 3].split()[1]}\n" for n in range(90)))
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-charts svg").first).to_be_visible()
    page.locator("#data-use").click()
    expect(page.locator("#train-models details")).to_be_attached()
    page.get_by_label("Model", exact=True).first.click()
    page.get_by_role("option", name="Simple models only").click()
    expect(page.locator("#train-card")).to_contain_text("no neural model needed")
    page.locator("#train-start").click()
    page.locator("#live-island [data-state=done]").wait_for(timeout=240_000)
    expect(page.locator("#live-island .settings td").first).to_be_attached()
    page.locator("#live-island").get_by_role("button", name="Try it").click()
    page.locator("#play-text textarea").fill("the cat and the soup")
    page.locator("#play-send").click()
    expect(page.locator("#play-answers .card")).to_have_count(3, timeout=90_000)
    page.get_by_text("Keyword rules of this run").click()
    page.locator("#play-rules-save").click()
    expect(page.locator("#play-rules-score")).to_contain_text("Macro F1")
    for tab in ("runs", "evaluate"):
        page.get_by_role("tab", name=tab.capitalize()).click()
        expect(page.locator(f"#{'report' if tab == 'evaluate' else tab}-island table").first).to_be_visible()
    with page.expect_download(timeout=120_000):
        page.locator("#report-island").get_by_role("button", name="Download").click()
    modules = studio.modules()
    assert {"studio.web.tabs.train", "gradio", "pyarrow"} <= modules, "the list of modules is not what it says"
    assert not sorted(name for name in modules if name.split(".")[0] in HEAVY)
    mapped = Path(f"/proc/{studio.pid}/maps").read_text()
    assert "/pyarrow/" in mapped
    assert not [name for name in HEAVY if f"/{name}/" in mapped]


def test_no_button_of_a_chart_sends_it_anywhere(visit: Callable[..., Page]):
    """Plotly draws a button that uploads a chart to its maker's cloud unless it is told not to."""
    page = visit()
    page.evaluate(
        """async () => {
            const node = document.body.appendChild(document.createElement("div"));
            node.id = "probe";
            const wanted = { ...studio.PLOT, displayModeBar: true };
            await (await studio.plotly()).newPlot(node, [{ x: [1, 2], y: [1, 2] }], studio.layout(), wanted);
        }"""
    )
    titles = page.locator("#probe .modebar-btn").evaluate_all("all => all.map(one => one.getAttribute('data-title'))")
    assert "Zoom" in titles
    assert not [title for title in titles if re.search("share|cloud|studio|upload|send|edit", str(title), re.I)]


def test_no_catalogue_code_reaches_the_screen(visit: Callable[..., Page]):
    for language in ("en", "zh"):
        page = visit(language=language)
        for tab in TABS:
            page.evaluate(f"studio.open({{ tab: '{tab}' }})")
            expect(page.locator("[role=tabpanel]:visible .lead").first).to_be_visible()
            shown = page.locator("body").inner_text()
            assert not re.findall(r"\b(?:web|option|task|method|error|problem|role|metric)\.[a-z_]+\.?[a-z_]*\b", shown)


def test_language_is_switched_in_the_header_and_kept_in_the_address(visit: Callable[..., Page]):
    page = visit()
    page.evaluate("studio.open({ tab: 'runs' })")
    page.locator("#header select").select_option("zh")
    expect(page).to_have_url(re.compile("/zh/.*tab=runs"))
    expect(page.get_by_role("tab", name="运行")).to_have_attribute("aria-selected", "true")


def test_arrow_keys_move_between_tabs(visit: Callable[..., Page]):
    page = visit()
    page.get_by_role("tab", name="Start").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Data")).to_have_attribute("aria-selected", "true")


def test_a_late_answer_does_not_pull_the_page_back_to_a_tab_that_was_left(visit: Callable[..., Page]):
    page = visit()
    held: list[Route] = []
    page.route(
        "**/queue/join*",
        lambda route: held.append(route) if '"tab":"runs"' in (route.request.post_data or "") else route.continue_(),
    )
    page.get_by_role("tab", name="Runs").click()
    expect(page).to_have_url(re.compile("tab=runs"))
    page.get_by_role("tab", name="Evaluate").click()
    expect(page).to_have_url(re.compile("tab=evaluate"))
    assert held
    with page.expect_response("**/queue/join*"):
        held[0].continue_()
    page.wait_for_timeout(1500)
    expect(page.get_by_role("tab", name="Evaluate")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("tab=evaluate"))


def test_a_file_that_cannot_be_read_gets_its_sentence_and_leaves_nothing(visit: Callable[..., Page], tmp_path):
    file = tmp_path / "photo.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    told = page.locator("[role=tabpanel]:visible .refused .banner")
    expect(told).to_contain_text("photo.csv", timeout=60_000)
    # The zone takes the next file at once, and the sentence goes with it.
    expect(page.locator("#start-drop")).not_to_contain_text("Error")
    expect(page).not_to_have_url(re.compile("tab=data"))
    good = tmp_path / "good.csv"
    good.write_text("text,label\n" + "".join(f"a cat {n},cat\na dog {n},dog\n" for n in range(20)))
    page.locator("#start-drop input[type=file]").set_input_files(good)
    expect(page).to_have_url(re.compile("tab=data"), timeout=60_000)
    expect(page.locator("#data-grid")).to_contain_text("a cat")
    page.evaluate("studio.open({ tab: 'start' })")
    expect(told).to_have_count(0)


def test_text_is_shown_as_text(visit: Callable[..., Page], tmp_path):
    nasty = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>${window.pwned=1}{{7*7}}'
    rows = "".join(
        f'"{nasty.replace(chr(34), chr(34) * 2)} {number}",{("<b>bad</b>", "good")[number % 2]}\n'
        for number in range(40)
    )
    file = tmp_path / "nasty.csv"
    file.write_text("text,label\n" + rows, encoding="utf-8")
    page = visit()
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-grid")).to_contain_text("onerror", timeout=60_000)
    expect(page.locator("#data-charts svg").first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#data-grid img").count() == 0


def test_a_double_click_makes_one_run(visit: Callable[..., Page]):
    page = visit()
    card = page.locator(".card", has_text="Hotel reviews")
    before = len(page.evaluate("studio.get('/api/runs')")["runs"])
    card.get_by_role("button", name="Train it").dblclick()
    expect(page).to_have_url(re.compile("run=r-"), timeout=60_000)
    runs = page.evaluate("studio.get('/api/runs')")["runs"]
    assert len(runs) == before + 1
    page.locator("#live-island").get_by_role("button", name="Stop (saves first)").click()
    page.wait_for_function(
        "[...document.querySelectorAll('#live-island .chip')].some(c => ['Stopped','Done'].includes(c.textContent))",
        timeout=240_000,
    )
