"""Islands: gr.HTML shells that the page's own scripts draw into.

The template is constant and user text travels as the component's value, never as template, because Gradio
evaluates templates as JavaScript.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from studio.assets import assets

_SCRIPTS = (
    *("core.js", "start.js", "live.js", "runs.js", "report.js", "forms.js", "workshop.js", "doubts.js", "grid.js"),
    *("marking.js", "bringing.js", "reading.js", "playing.js", "about.js"),
)


def scripts() -> list[Path]:
    """The page's own scripts in their order; last those of the result kinds, a file each."""
    folder = assets() / "web"
    return [*(folder / name for name in _SCRIPTS), *sorted((folder / "kinds").glob("*.js"))]


def island(kind: str, value: Any = None, **options: Any) -> gr.HTML:
    """A shell drawn by `studio.kinds.<kind>`; Python updates it by returning a new JSON-able value."""
    name = json.dumps(kind)
    # Gradio draws components without waiting for the head's script, which a first visitor still has to fetch.
    script = (
        f"(function wait() {{ if (window.studio?.kinds?.[{name}]) "
        f"window.studio.mount({name}, element, props, watch, trigger); else setTimeout(wait, 20); }})(); /* 'click' */"
    )
    return gr.HTML(
        value=value,
        html_template='<div class="island"></div>',
        js_on_load=script,
        apply_default_css=False,
        **options,
    )


def head(language: str) -> str:
    """The style sheet and the page's scripts: one file, because Gradio inserts several in no certain order."""
    return f'<link rel="stylesheet" href="/static/studio.css"><script src="/static/studio.js?lang={language}"></script>'


def lead(text: str, title: str = "") -> gr.HTML:
    """The one sentence a tab opens with, under a title where the tab has one. Both come from the catalogue."""
    heading = f"<h1>{escape(title)}</h1>" if title else ""
    return gr.HTML(f"<div class='island'>{heading}<p class='lead'>{escape(text)}</p></div>")
