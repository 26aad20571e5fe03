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
    augment: tuple[gr.Button, gr.HTML]
    """Shows pairs of rows and their altered copies."""

    def inputs(self) -> list[Any]:
        """What a draft is made from. `given` is among it: what was shown is what starts."""
        chosen = [self.data, self.model, self.method, self.preset, self.name, self.given, self.planned]
        return [*chosen, *self.options.values()]


def form(page: Page) -> Widgets:
    """Draw the form into the current Blocks context."""
    with gr.Row():
        data = gr.Dropdown(
            label=page.t("web.train.data"),
            info=page.t("web.train.data_info"),
            choices=[],
            elem_id="train-data",
            min_width=280,
        )
        model = gr.Dropdown(
            label=page.t("web.train.model"),
            info=page.t("web.train.model_info"),
            choices=[],
            allow_custom_value=True,
            elem_id="train-model",
            min_width=280,
        )
    card = island("card", elem_id="train-card")
    models = island("models", elem_id="train-models")
    find = gr.Textbox(
        label=page.t("web.models.find"),
        info=page.t("web.models.find_info"),
        max_lines=1,
        elem_id="train-find",
    )
    found = island("hubmodels", elem_id="train-found")
    with gr.Row():
        method = gr.Radio(label=page.t("web.train.method"), choices=[], elem_id="train-method", min_width=280)
        presets = [(page.t(f"web.train.preset_{key}"), key) for key in BUDGETS]
        preset = gr.Radio(
            presets, value="quick", label=page.t("web.train.preset"), elem_id="train-preset", min_width=280
        )
    reasons = island("methods", elem_id="train-reasons")
    with gr.Row(equal_height=True):
        name = gr.Textbox(
            label=page.t("web.train.name"),
            info=page.t("web.train.name_info"),
            max_lines=1,
            elem_id="train-name",
            min_width=280,
            scale=3,
        )
        start = gr.Button(page.t("web.train.start"), variant="primary", elem_id="train-start", scale=1, min_width=160)
    preflight = island("preflight", elem_id="train-preflight")
    techniques = island("techniques", elem_id="train-techniques")
    given = gr.Textbox(visible="hidden", elem_classes="visually-hidden")
    planned = gr.Textbox(visible="hidden", elem_classes="visually-hidden")
    measured = gr.Textbox(visible="hidden", elem_classes="visually-hidden", elem_id="train-measured")
    with gr.Accordion(page.t("web.train.advanced"), open=False, elem_id="train-advanced"):
        options, scopes = _advanced(page)
        augment = growing.panel(page)
    return Widgets(
        data,
        model,
        method,
        preset,
        name,
        start,
        card,
        models,
        reasons,
        preflight,
        techniques,
        given,
        planned,
        measured,
        options,
        scopes,
        find,
        found,
        augment,
    )


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
