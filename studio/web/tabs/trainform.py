"""The Train tab's form as components: at most six controls, the rest under Advanced. It wires nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.methods.base import methods
from studio.tasks.base import tasks
from studio.training.options import TrainingOptions
from studio.training.plan import BUDGETS
from studio.web.context import Page
from studio.web.forms import draw
from studio.web.island import island
from studio.web.tabs import growing

_NARROWEST = 280
"""Pixels below which the controls of a row stand one below the other."""


@dataclass
class Widgets:
    """The tab's components. `options` is keyed by (scope, group, name); scope is a task's or method's key, or ""."""

    data: gr.Dropdown
    model: gr.Dropdown
    method: gr.Radio
    preset: gr.Radio
    name: gr.Textbox
    start: gr.Button
    card: gr.HTML
    models: gr.HTML
    reasons: gr.HTML
    preflight: gr.HTML
    techniques: gr.HTML
    given: gr.Textbox
    planned: gr.Textbox
    """For which choices the advanced fields were filled in; while others are chosen, they say nothing."""
    measured: gr.Textbox
    """Changes whenever something new was measured."""
    options: dict[tuple[str, str, str], gr.components.Component]
    scopes: dict[str, gr.Column]
    find: gr.Textbox
    found: gr.HTML
    folder: gr.Dropdown
    """A folder of the server to take a model from."""
    refused: gr.HTML
    """Why that folder is no model."""
    augment: tuple[gr.Button, gr.HTML]
    """Shows pairs of rows and their altered copies."""

    def inputs(self) -> list[Any]:
        """What a draft is made from. `given` is among it: what was shown is what starts."""
        chosen = [self.data, self.model, self.method, self.preset, self.name, self.given, self.planned]
        return [*chosen, *self.options.values()]


def form(page: Page) -> Widgets:
    """Draw the form into the current Blocks context."""
    with gr.Row():
        data = _chooser(page, "train.data", "train-data")
        model = _chooser(page, "train.model", "train-model", allow_custom_value=True)
    card, models = island("card", elem_id="train-card"), island("models", elem_id="train-models")
    with gr.Row():
        find = _line(page, "models.find", "train-find")
        folder = _chooser(page, "models.folder", "train-folder", value=None, allow_custom_value=True)
    found, refused = island("hubmodels", elem_id="train-found"), island("refused", elem_id="train-refused")
    with gr.Row():
        method = gr.Radio(label=page.t("web.train.method"), choices=[], elem_id="train-method", min_width=_NARROWEST)
        presets = [(page.t(f"web.train.preset_{key}"), key) for key in BUDGETS]
        preset = gr.Radio(
            presets, value="quick", label=page.t("web.train.preset"), elem_id="train-preset", min_width=_NARROWEST
        )
    reasons = island("methods", elem_id="train-reasons")
    with gr.Row(equal_height=True):
        name = _line(page, "train.name", "train-name", scale=3)
        start = gr.Button(page.t("web.train.start"), variant="primary", elem_id="train-start", scale=1, min_width=160)
    preflight = island("preflight", elem_id="train-preflight")
    techniques = island("techniques", elem_id="train-techniques")
    given, planned = _hidden(), _hidden()
    measured = _hidden(elem_id="train-measured")
    with gr.Accordion(page.t("web.train.advanced"), open=False, elem_id="train-advanced"):
        options, scopes = _advanced(page)
        augment = growing.panel(page)
    return Widgets(
        data=data, model=model, method=method, preset=preset, name=name, start=start, card=card, models=models,
        reasons=reasons, preflight=preflight, techniques=techniques, given=given, planned=planned, measured=measured,
        options=options, scopes=scopes, find=find, found=found, folder=folder, refused=refused, augment=augment,
    )  # fmt: skip


def hold(triggers: Any, last: Any) -> None:
    """From any of `triggers` until `last` is through, no technique can be pressed: a plan that is under way would
    overwrite what the press sets."""
    gr.on(triggers, None, None, None, js="() => window.studio.hold(1)")
    last.then(None, None, None, js="() => window.studio.hold(-1)")


def _chooser(page: Page, key: str, name: str, **more: Any) -> gr.Dropdown:
    """A list that is filled when the data is known; `key` is that of its label and help in the catalogue."""
    label, info = page.t(f"web.{key}"), page.t(f"web.{key}_info")
    return gr.Dropdown(label=label, info=info, choices=[], elem_id=name, min_width=_NARROWEST, **more)


def _line(page: Page, key: str, name: str, **more: Any) -> gr.Textbox:
    label, info = page.t(f"web.{key}"), page.t(f"web.{key}_info")
    return gr.Textbox(label=label, info=info, max_lines=1, elem_id=name, min_width=_NARROWEST, **more)


def _hidden(**more: Any) -> gr.Textbox:
    """What the page's parts tell each other."""
    return gr.Textbox(visible="hidden", elem_classes="visually-hidden", **more)


def _advanced(page: Page) -> tuple[dict[tuple[str, str, str], Any], dict[str, gr.Column]]:
    """Every option of the training, of each task and of each method, drawn from its declaration."""
    options: dict[tuple[str, str, str], Any] = {}
    scopes: dict[str, gr.Column] = {}

    def section(title: str, scope: str, group: str, declared: type, shown: bool) -> None:
        with gr.Column(visible=shown, elem_classes="option-section") as column:
            island("heading", title)
            with gr.Row():
                for name, widget in draw(page, group, declared, f"{scope}-" if scope else "").items():
                    options[scope, group, name] = widget
        if scope:
            scopes[scope] = column

    section(page.t("web.train.advanced_training"), "", "training", TrainingOptions, True)
    for task in tasks:
        section(
            page.t("web.train.advanced_task", title=page.t(f"task.{task.key}.title")),
            task.key,
            "task",
            task.Options,
            False,
        )
    for method in methods:
        title = page.t("web.train.advanced_method", title=page.t(f"method.{method.key}.title"))
        section(title, method.key, "method", method.Options, False)
    return options, scopes
