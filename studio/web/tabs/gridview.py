"""The grid of rows on the Data tab: paged, searched, filtered and sorted by the data process, corrected cell by cell.

What is shown of a search comes first, how many rows it finds in all afterwards.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.data import queries
from studio.data.paging import View
from studio.data.spans import read
from studio.data.store import DataVersion, find_version
from studio.errors import UserError
from studio.web.context import Page
from studio.web.tabs.bounds import sent

ROWS = 25
LONGEST_MARKED = 2000
"""Characters of a text that is shown with its parts marked."""
MOST_ROWS = 500
"""Rows that can be named one by one."""
MOST_CHOICES = 30
"""Values of a column that are offered as a filter."""
# A newer choice must not be dropped because the answer to an older one is still under way.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}


def wire(page: Page, chosen: gr.Dropdown, search: gr.Textbox, shown: gr.Textbox, grid: gr.HTML) -> None:
    """`shown` keeps the page's number, filter and order as JSON between two clicks."""

    @page.told
    def turn(version: str | None, text: str, kept: str, asked: dict[str, Any] | None) -> Iterator[tuple[Any, str]]:
        if not version:
            yield None, ""
            return
        found = find_version(page.workspace, version)
        view, number = _asked(asked) if asked is not None else (_asked(_json(kept))[0], 0)
        view = dataclasses.replace(view, search=text[:200])
        if asked is not None and asked.get("last"):
            number = (queries.count(found, view) - 1) // ROWS
        yield from pages_of(page, found, view, number)

    def leaf(version: str | None, text: str, kept: str, event: gr.EventData) -> Iterator[Any]:
        yield from turn(version, text, kept, sent(event))

    def look(version: str | None, text: str, kept: str) -> Iterator[Any]:
        yield from turn(version, text, kept, None)

    inputs, outputs = [chosen, search, shown], [grid, shown]
    grid.click(leaf, inputs, outputs, **QUIET)
    search.input(look, inputs, outputs, **{**QUIET, "trigger_mode": "always_last"})


def pages_of(page: Page, version: DataVersion, view: View, number: int) -> Iterator[tuple[dict[str, Any], str]]:
    """(what the grid draws, what is kept): the rows at once, and once more when it is known how many there are."""
    number = max(0, min(number, version.rows // ROWS))
    rows, more = queries.page(version, number * ROWS, ROWS, view)
    if not rows and number:
        number = max(0, (queries.count(version, view) - 1) // ROWS)
        rows, more = queries.page(version, number * ROWS, ROWS, view)
    first = number * ROWS + 1 if rows else 0
    last = first + len(rows) - 1 if rows else 0
    now = {"number": number, **dataclasses.asdict(view)}
    now.pop("search")
    marking = marking_of(version)
    told = {
        "data": version.version,
        "columns": list(version.columns),
        "rows": [
            {
                "n": row["row"] + 1,
                "cells": [row["cells"][name] for name in version.columns],
                "marked": marked(row["cells"], *marking) if marking else None,
            }
            for row in rows
        ],
        "first": number == 0,
        "last": not more,
        "view": now,
        "filters": filters_of(version),
    }
    if not rows:
        yield {**told, "line": page.t("web.data.no_rows")}, json.dumps(now)
        return
    if view.whole or not more:
        total = version.rows if view.whole else last
        yield {**told, "line": page.t("web.data.page", first=first, last=last, total=total)}, json.dumps(now)
        return
    yield {**told, "line": page.t("web.data.page_counting", first=first, last=last)}, json.dumps(now)
    total = queries.count(version, view)
    yield {**told, "line": page.t("web.data.page", first=first, last=last, total=total)}, json.dumps(now)


def first_page(page: Page, version: DataVersion) -> tuple[dict[str, Any], str]:
    """The first rows as they stand."""
    return next(pages_of(page, version, View(), 0))


def marking_of(version: DataVersion) -> tuple[str, str] | None:
    """(column of a text, column that marks parts of it) where the data has one of each, else None."""
    kinds = [(column["kind"], str(column["name"])) for column in version.profile()["columns"]]
    spans, texts = ([name for kind, name in kinds if kind == wanted] for wanted in ("spans", "text"))
    return (texts[0], spans[0]) if len(spans) == len(texts) == 1 else None


def marked(cells: dict[str, str | None], text: str, spans: str) -> dict[str, Any] | None:
    """{"column", "text", "entities": [[start, end, type]]}: a cell of marked parts as the text that it marks. None for
    a cell that cannot be read, which is shown as it stands, and for a long text."""
    said, cell = cells[text] or "", cells[spans] or ""
    if not cell.strip() or len(said) > LONGEST_MARKED:
        return None
    found = read(said, cell)
    return {"column": spans, "text": said, "entities": [list(one) for one in found.entities]} if found.sound else None


def filters_of(version: DataVersion) -> list[list[Any]]:
    """[column, its commonest values] of the columns with few of them."""
    return [
        [column["name"], [value for value, _ in column["top"][:MOST_CHOICES]]]
        for column in version.profile()["columns"]
        if column["kind"] == "label" and column["top"]
    ]


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _asked(raw: dict[str, Any]) -> tuple[View, int]:
    """A page's wish as a view and the page's number. Raises UserError (`request_unreadable`)."""
    try:
        texts = {name: str(raw.get(name) or "")[:1000] for name in ("column", "value", "sort")}
        rows = tuple(dict.fromkeys(max(0, int(row)) for row in list(raw.get("rows") or ())[:MOST_ROWS]))
        return View(falling=bool(raw.get("falling")), rows=rows, **texts), max(0, int(raw.get("number") or 0))
    except (TypeError, ValueError, OverflowError):
        raise UserError("request_unreadable") from None
