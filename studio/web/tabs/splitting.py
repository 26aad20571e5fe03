"""The panel of the Data tab that says how rows are held back: shares and seed, how, and by which column."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.data.checks import given_column
from studio.data.store import DataVersion, find_version
from studio.spec import COLUMN_SPLITS, SPLITS, Split
from studio.web.context import Page
from studio.web.tabs.gridview import QUIET

FIELDS = len(dataclasses.fields(Split))


def panel(page: Page) -> list[Any]:
    """Draw it; the components in the order of `Split`'s fields."""

    def share(name: str) -> gr.Slider:
        label, info = page.t(f"web.data.{name}"), page.t(f"web.data.{name}_info")
        return gr.Slider(0.05, 0.4, 0.15, step=0.05, label=label, info=info, min_width=240)

    with gr.Accordion(page.t("web.data.split"), open=False, elem_id="data-split"):
        with gr.Row():
            how = gr.Dropdown(
                [(page.t(f"split.{key}"), key) for key in SPLITS],
                value=SPLITS[0],
                label=page.t("web.data.split_how"),
                info=page.t("web.data.split_how_info"),
                elem_id="split-how",
            )
            column = gr.Dropdown(
                choices=[],
                value=None,
                visible=False,
                label=page.t("web.data.split_column"),
                info=page.t("web.data.split_column_info"),
                elem_id="split-column",
            )
        with gr.Row():
            validation, test = share("validation"), share("test")
            seed = gr.Number(
                13,
                precision=0,
                minimum=0,
                maximum=2**31 - 1,
                label=page.t("web.data.seed"),
                info=page.t("web.data.seed_info"),
            )
    return [validation, test, seed, how, column]


def plain(panel: Sequence[Any]) -> list[Any]:
    """Those whose change only asks for another look: `how` sets the column first."""
    validation, test, seed, _, column = panel
    return [validation, test, seed, column]


def filled(version: DataVersion, split: Split) -> list[Any]:
    """The panel for a split of a version."""
    return [split.validation, split.test, split.seed, split.how, _column(version, split.how, split.column)]


def wire(page: Page, chosen: gr.Dropdown, panel: Sequence[Any]) -> Any:
    """A way that needs a column asks for one, guessed where that can be done; returns the event to go on from."""
    *_, how, column = panel

    @page.told
    def choose(version: str | None, key: str) -> Any:
        if not version:
            return gr.Dropdown(visible=False)
        found = find_version(page.workspace, version)
        return _column(found, key, guessed(found, key))

    return how.input(choose, [chosen, how], column, **QUIET)


def guessed(version: DataVersion, how: str) -> str:
    """The column that a way to split would go by, or ""."""
    if how == "given":
        return given_column(version)
    dates = [str(column["name"]) for column in version.profile()["columns"] if column["kind"] == "date"]
    return dates[0] if how == "time" and dates else ""


def _column(version: DataVersion, how: str, column: str) -> gr.Dropdown:
    return gr.Dropdown(choices=list(version.columns), value=column or None, visible=how in COLUMN_SPLITS)


def read(values: Sequence[Any]) -> Split:
    """The panel's values as a split."""
    validation, test, seed, how, column = values
    told = {"validation": validation, "test": test, "seed": seed or 0, "how": how or SPLITS[0], "column": column or ""}
    return Split.sent(told)
