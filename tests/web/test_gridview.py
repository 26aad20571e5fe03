"""The grid: rows first and their number afterwards, filters from the profile, and what a page may ask for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.data.importing import import_file
from studio.data.paging import View
from studio.errors import UserError
from studio.web.tabs import gridview
from studio.words import say
from studio.workspace import Workspace


@pytest.fixture
def shown(tmp_path: Path) -> tuple[Any, Any]:
    workspace = Workspace.open(tmp_path / "home")
    lines = "".join(f"words of row {n},{'yes' if n % 3 else 'no'}\n" for n in range(120))
    (tmp_path / "a.csv").write_text("text,label\n" + lines, "utf-8")
    version = import_file(workspace, "ann", tmp_path / "a.csv", "a.csv")
    page = SimpleNamespace(workspace=workspace, t=lambda code, **values: say(code, "en", **values))
    return page, version


def test_whole_data_need_no_counting(shown: tuple[Any, Any]):
    page, version = shown
    (grid, kept), *more = list(gridview.pages_of(page, version, View(), 0))
    assert not more
    assert grid["line"] == "Rows 1–25 of 120"
    assert (grid["first"], grid["last"], len(grid["rows"])) == (True, False, 25)
    assert grid["filters"] == [["label", ["yes", "no"]]]
    assert json.loads(kept) == {"number": 0, "column": "", "value": "", "sort": "", "falling": False, "rows": []}


def test_a_search_shows_rows_before_it_knows_how_many(shown: tuple[Any, Any]):
    page, version = shown
    (first, _), (second, _) = list(gridview.pages_of(page, version, View("words"), 1))
    assert first["rows"] == second["rows"]
    assert first["line"] == "Rows 26–50, counting the rest …"
    assert second["line"] == "Rows 26–50 of 120"


def test_filter_and_order_and_a_page_beyond_the_end(shown: tuple[Any, Any]):
    page, version = shown
    view = View(column="label", value="no", sort="text", falling=True)
    *_, (grid, kept) = list(gridview.pages_of(page, version, view, 99))
    assert json.loads(kept)["number"] == 1
    assert grid["line"] == "Rows 26–40 of 40"
    assert {row["cells"][1] for row in grid["rows"]} == {"no"}
    texts = [row["cells"][0] for row in grid["rows"]]
    assert texts == sorted(texts, reverse=True)
    (none, _), *_ = list(gridview.pages_of(page, version, View("nowhere"), 0))
    assert none["line"] == say("web.data.no_rows", "en")


def test_what_a_page_asks_for_is_bounded():
    view, number = gridview._asked({"sort": "text", "falling": 1, "number": "2", "value": "x" * 5000})
    assert (view.sort, view.falling, number, len(view.value)) == ("text", True, 2, 1000)
    with pytest.raises(UserError) as caught:
        gridview._asked({"number": "many"})
    assert caught.value.code == "request_unreadable"
    assert gridview._json("[1]") == gridview._json("{") == {}


def test_marked_parts_are_shown_in_the_text_that_they_mark(tmp_path: Path):
    workspace = Workspace.open(tmp_path / "home")
    rows = [
        {"text": "Ann lives in Ulm", "entities": [{"start": 0, "end": 3, "type": "person"}, {"start": 13, "end": 16, "type": "place"}]},
        {"text": "小王在北京上班", "entities": [{"start": 3, "end": 5, "type": "place"}]},
        {"text": "nobody here", "entities": []},
        {"text": "too short", "entities": [{"start": 90, "end": 95, "type": "place"}]},
        {"text": "word " * 600, "entities": [{"start": 0, "end": 4, "type": "place"}]},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 8), "utf-8")
    version = import_file(workspace, "ann", tmp_path / "a.jsonl", "a.jsonl")
    page = SimpleNamespace(workspace=workspace, t=lambda code, **values: say(code, "en", **values))
    grid, _ = gridview.first_page(page, version)
    shown = [row["marked"] for row in grid["rows"][:5]]
    assert shown[0] == {
        "column": "entities",
        "text": "Ann lives in Ulm",
        "entities": [[0, 3, "person"], [13, 16, "place"]],
    }
    assert shown[1]["entities"] == [[3, 5, "place"]]
    assert shown[2]["entities"] == []
    assert shown[3:] == [None, None], "what lies outside the text, and a long text, stay as they stand"


def test_without_marked_parts_nothing_is_marked(shown: tuple[Any, Any]):
    grid, _ = gridview.first_page(*shown)
    assert {row["marked"] for row in grid["rows"]} == {None}


def test_named_rows_alone_are_shown(shown: tuple[Any, Any]):
    page, version = shown
    *_, (grid, kept) = list(gridview.pages_of(page, version, View(rows=(70, 3, 500)), 0))
    assert [row["n"] for row in grid["rows"]] == [4, 71]
    assert grid["line"] == "Rows 1–2 of 2"
    assert json.loads(kept)["rows"] == [70, 3, 500]
    view, _ = gridview._asked({"rows": list(range(gridview.MOST_ROWS + 9))})
    assert len(view.rows) == gridview.MOST_ROWS
    with pytest.raises(UserError):
        gridview._asked({"rows": ["x"]})
