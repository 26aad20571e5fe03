"""The Train tab's form as it stands: what its values draft, and what the check before the start says of it."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from studio.data.store import DataVersion, find_version
from studio.errors import UserError
from studio.runs.draft import Draft, draft
from studio.web.context import Page
from studio.web.tabs.bringing import opened
from studio.web.tabs.given import read, read_for
from studio.web.tabs.preflight import shown_preflight
from studio.web.tabs.techniques import shown_techniques
from studio.web.tabs.trainform import Widgets

_GIVEN = 5
"""The place of `given` among a form's values."""


def read_plan(text: Any) -> dict[str, Any]:
    """What the plan was made for and what it filled in; nothing where that cannot be read."""
    try:
        found = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def draft_form(page: Page, widgets: Widgets, values: tuple[Any, ...], who: str = "local") -> tuple[DataVersion, Draft]:
    """The form's values as a draft. Raises UserError (`no_data_chosen`) for an empty form, `form_behind` for one that
    still shows other data."""
    version, model, method, preset, name, given, planned, *options = values
    if not version or not model:
        raise UserError("no_data_chosen")
    found = find_version(page.workspace, str(version))
    use = read_for(given, str(version)).use
    chosen: dict[str, dict[str, Any]] = {}
    settled = read_plan(planned).get("for") == [version, model, method, preset]
    for (scope, group, key), value in zip(widgets.options, options, strict=True):
        if settled and scope in ("", use.task, method) and value is not None:
            chosen.setdefault(group, {})[key] = value
    made = draft(
        page.workspace,
        found,
        use=use,
        model=opened(page, model),
        method=str(method or ""),
        preset=str(preset),
        options=chosen,
        name=str(name or ""),
        owner=who,
    )
    return found, made


def check_form(page: Page, widgets: Widgets, values: tuple[Any, ...]) -> list[Any]:
    """What the check says, and the techniques as they stand."""
    if not values[0] or not values[1]:
        return [None, None]
    filled = read(values[_GIVEN])
    if filled is None or filled.data != values[0]:
        return [gr.skip(), gr.skip()]  # the form is about to be filled in for the other data
    made = draft_form(page, widgets, values)[1]
    return [shown_preflight(page, made), shown_techniques(page, made)]
