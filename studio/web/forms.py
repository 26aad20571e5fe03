"""Forms drawn from typed options: one widget an option, and their values read back by name."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.options import Option, options_of
from studio.web.context import Page
from studio.words import has


def draw(page: Page, group: str, declared: type, scope: str = "") -> dict[str, gr.components.Component]:
    """Widgets for the options of `declared`, in the current Blocks context, by option name."""
    widgets = {}
    for item in options_of(declared, group):
        widgets[item.name] = _widget(page, item, scope)
    return widgets


def _widget(page: Page, item: Option, scope: str) -> gr.components.Component:
    label = page.t(item.code)
    info = page.t(f"{item.code}_help")
    common: dict[str, Any] = {
        "label": label,
        "info": info,
        "value": item.default,
        "elem_id": f"option-{scope}{item.group}-{item.name}".replace("_", "-"),
    }
    if item.kind == "bool":
        return gr.Checkbox(**common)
    if item.kind == "choice":
        named = [(_choice(page, item, key), key) for key in item.choices]
        return gr.Dropdown(choices=named, **common)
    if item.kind in ("int", "float"):
        precision = 0 if item.kind == "int" else None
        return gr.Number(
            minimum=item.low,
            maximum=item.high,
            step=item.step or (1 if precision == 0 else 1e-9),
            precision=precision,
            **common,
        )
    return gr.Textbox(**common)


def _choice(page: Page, item: Option, key: str) -> str:
    """What a choice is called: in this option, in any, as a language; its own key where it has no other name."""
    plain = key.replace("-", "_")
    known = (f"{item.code}_{plain}", f"choice.{plain}", f"web.about.language.{key}")
    return next((page.t(code) for code in known if has(code)), key)
