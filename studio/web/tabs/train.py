"""Train: what will happen, and go. At most six controls, the rest under Advanced; below it the live view."""

from __future__ import annotations

import json
import uuid
from typing import Any

import gradio as gr

from studio.data.store import find_version
from studio.data.use import Use
from studio.runs.draft import BASELINE, draft, suggest_method, use_of, verdicts
from studio.runs.reading import suggest_model
from studio.runs.speeds import language_spec, measure
from studio.tasks.base import tasks
from studio.web.context import Page, owner
from studio.web.island import island, lead
from studio.web.tabs import bringing, growing
from studio.web.tabs.bounds import sent
from studio.web.tabs.bringing import opened
from studio.web.tabs.choose import data_sets, pick
from studio.web.tabs.drafting import check_form, draft_form, read_plan
from studio.web.tabs.given import Given, read
from studio.web.tabs.modelview import compared, look_first, method_reasons, model_choices, shown_card
from studio.web.tabs.preflight import shown_preflight
from studio.web.tabs.techniques import pressed, shown_techniques
from studio.web.tabs.trainform import Widgets, form, hold

# A newer choice must not be dropped because the answer to an older one is still under way.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context and wire it."""
    with gr.Column(elem_id="train-form"):
        lead(page.t("web.train.lead"))
        widgets = form(page)
    island("live", elem_id="live-island")
    page.parts["train_data"] = widgets.data
    page.parts["train_given"] = widgets.given
    _wire_choices(page, widgets)
    bringing.wire(page, widgets, [_model_step(page, widgets), _plan_step(page, widgets)])
    _wire_start(page, widgets)
    growing.wire(page, *widgets.augment, widgets.given, widgets.options)


def _wire_choices(page: Page, widgets: Widgets) -> None:
    @page.told
    def open_form(given: str) -> list[Any]:
        """The page arrived here by its address, perhaps with an earlier run's settings. Data decides the model."""
        filled = read(given)
        if filled is None:
            return [gr.skip(), gr.skip(), gr.skip()]
        found, wanted = find_version(page.workspace, filled.data), filled.settings
        model = (wanted.model or BASELINE) if wanted else suggest_model(page.workspace, found, filled.use)
        preset = wanted.preset if wanted else tasks.get(filled.use.task).kind.preset if filled.use.task else gr.skip()
        choices = model_choices(page, filled.use.task)
        if model not in [key for _, key in choices]:
            choices.append((model, model))
        return [gr.Dropdown(choices=choices, value=model), preset, bringing.folders(page)]

    # What is shown is about `given`, never about the dropdown: that may already be ahead, or not be drawn yet.
    filled = (
        widgets.given.change(open_form, widgets.given, [widgets.model, widgets.preset, widgets.folder], **QUIET)
        .then(*_model_step(page, widgets), **QUIET)
        .then(*_plan_step(page, widgets), **QUIET)
    )
    hold(widgets.given.change, filled)
    filled.then(*_compare_step(page, widgets), **QUIET).then(*_measure_step(page, widgets), **QUIET)
    pick_data = "(data) => window.studio.open({ tab: 'train', data, run: '' }, true)"
    widgets.data.input(None, widgets.data, None, js=pick_data)
    other = widgets.model.input(*_model_step(page, widgets), **QUIET).then(*_plan_step(page, widgets), **QUIET)
    hold(widgets.model.input, other)
    other.then(*_measure_step(page, widgets), **QUIET)
    planned = gr.on([widgets.method.input, widgets.preset.input], *_plan_step(page, widgets), **QUIET)
    hold([widgets.method.input, widgets.preset.input], planned)
    planned.then(*_measure_step(page, widgets), **QUIET)
    _wire_measured(page, widgets)

    @page.told
    def estimate(*values: Any) -> Any:
        """The check again, after an advanced setting was changed by hand."""
        return check_form(page, widgets, values)

    edited = [widget.input for widget in widgets.options.values()]  # type: ignore[attr-defined]
    checked = [widgets.preflight, widgets.techniques]
    gr.on(edited, estimate, widgets.inputs(), checked, **{**QUIET, "trigger_mode": "always_last"})

    @page.told
    def press(event: gr.EventData, given: str, model: str, preset: str, planned: str, *values: Any) -> list[Any]:
        """A technique is turned on or off: its option below, or the method; then the check again."""
        filled = read(given)
        if filled is None:
            return [gr.skip()] * len(values)
        before = read_plan(planned).get("values", [])
        return pressed(page, filled, widgets.options, event, (opened(page, model), preset, before, *values))

    chosen = [widgets.method, *widgets.options.values()]
    about = [widgets.given, widgets.model, widgets.preset, widgets.planned]
    hold(
        widgets.techniques.click,
        widgets.techniques.click(press, [*about, *chosen], chosen, **QUIET).then(*_again_step(page, widgets), **QUIET),
    )


def _model_step(page: Page, widgets: Widgets) -> tuple[Any, list[Any], list[Any]]:
    """The model's card, and which methods can tune it here."""

    @page.told
    def choose_model(model: str | None, given: str) -> list[Any]:
        filled = read(given)
        if not filled or not model:
            return [None, gr.Radio(choices=[], value=None), None]
        found = find_version(page.workspace, filled.data)
        wanted, use = filled.settings, filled.use
        found_verdicts = verdicts(page.workspace, use.task, opened(page, model))
        able = [(page.t(f"method.{key}.title"), key) for key, verdict in found_verdicts.items() if verdict.ok]
        first = wanted.method if wanted and wanted.model == model else None
        suggested = suggest_method(tasks.get(use.task), found_verdicts) if able else None
        value = first if first in [key for _, key in able] else suggested
        return [
            shown_card(page, found, use, opened(page, model)),
            gr.Radio(choices=able, value=value),
            method_reasons(page, found_verdicts),
        ]

    return choose_model, [widgets.model, widgets.given], [widgets.card, widgets.method, widgets.reasons]


def _compare_step(page: Page, widgets: Widgets) -> tuple[Any, Any, Any]:
    """Every model that fits, a line each; last, because each is tried on the data's own text. A line can be pressed."""

    @page.told
    def compare(given: str) -> list[dict[str, Any]] | None:
        filled = read(given)
        return compared(page, find_version(page.workspace, filled.data), filled.use) if filled else None

    @page.told
    def take(given: str, event: gr.EventData) -> Any:
        filled, chosen = read(given), str(sent(event).get("model", ""))
        known = [key for _, key in model_choices(page, filled.use.task)] if filled else []
        return chosen if chosen in known else gr.skip()

    taken = widgets.models.click(take, widgets.given, widgets.model, **QUIET).then(*_model_step(page, widgets), **QUIET)
    hold(widgets.models.click, taken.then(*_plan_step(page, widgets), **QUIET))
    return compare, widgets.given, widgets.models


def _plan_step(page: Page, widgets: Widgets) -> tuple[Any, list[Any], list[Any]]:
    """The preset's plan into the advanced fields, and the check before the start."""

    @page.told
    def plan(model: str | None, method: str | None, preset: str, given: str) -> list[Any]:
        filled = read(given)
        hidden = [gr.Column(visible=False)] * len(widgets.scopes)
        if not filled or not model:
            return [None, None, "", *hidden, *[gr.skip()] * len(widgets.options)]
        found = find_version(page.workspace, filled.data)
        wanted, use = filled.settings, filled.use
        same = wanted and (wanted.model, wanted.method, wanted.preset) == (model, method, preset)
        made = draft(
            page.workspace,
            found,
            use=use,
            model=opened(page, model),
            method=method or "",
            preset=preset,
            options=wanted.options if same and wanted else None,
        )
        shown = [gr.Column(visible=scope in (use.task, method)) for scope in widgets.scopes]
        values = [
            made.spec.options.get(group, {}).get(name, gr.skip()) if scope in ("", use.task, method) else gr.skip()
            for scope, group, name in widgets.options
        ]
        filled_in = [value if isinstance(value, str | int | float) else None for value in values]
        told = json.dumps({"for": [filled.data, model, method, preset], "values": filled_in}, ensure_ascii=False)
        return [shown_preflight(page, made), shown_techniques(page, made), told, *shown, *values]

    inputs = [widgets.model, widgets.method, widgets.preset, widgets.given]
    checked = [widgets.preflight, widgets.techniques, widgets.planned]
    return plan, inputs, [*checked, *widgets.scopes.values(), *widgets.options.values()]


def _measure_step(page: Page, widgets: Widgets) -> tuple[Any, list[Any], gr.Textbox]:
    """Steps of the chosen model are measured while the form is read. A new measurement changes `measured`, and then
    the plan is made again, unless a person has changed it meanwhile: then only the check is."""

    @page.told
    def measured(model: str | None, method: str | None, preset: str, given: str) -> Any:
        filled = read(given)
        if not filled or not model:
            return gr.skip()
        found = find_version(page.workspace, filled.data)
        made = draft(
            page.workspace, found, use=filled.use, model=opened(page, model), method=method or "", preset=preset
        )
        new = measure(page.desk, found, made.spec)
        if made.spec.model and made.language is not None:
            new = measure(page.desk, found, language_spec(page.workspace, made.spec)) or new
        return uuid.uuid4().hex if new else gr.skip()

    return measured, [widgets.model, widgets.method, widgets.preset, widgets.given], widgets.measured


def _again_step(page: Page, widgets: Widgets) -> tuple[Any, list[Any], list[Any]]:
    """The check again; a plan as well where the method has become another."""
    plan, _, outputs = _plan_step(page, widgets)

    @page.told
    def again(*values: Any) -> list[Any]:
        version, model, method, preset, _, given, planned, *_options = values
        if read_plan(planned).get("for") != [version, model, method, preset]:
            told: list[Any] = plan(model, method, preset, given)
            return told
        return [*check_form(page, widgets, values), *[gr.skip()] * (len(outputs) - 2)]

    return again, widgets.inputs(), outputs


def _wire_measured(page: Page, widgets: Widgets) -> None:
    plan, _, outputs = _plan_step(page, widgets)

    @page.told
    def again(*values: Any) -> list[Any]:
        _, model, method, preset, _, given, planned, *options = values
        kept = read_plan(planned)
        if all(before in (None, now) for before, now in zip(kept.get("values", []), options, strict=False)):
            told: list[Any] = plan(model, method, preset, given)
            return told
        return [*check_form(page, widgets, values), *[gr.skip()] * (len(outputs) - 2)]

    hold(widgets.measured.change, widgets.measured.change(again, widgets.inputs(), outputs, **QUIET))


def _wire_start(page: Page, widgets: Widgets) -> None:
    # The nonce makes a double click one run: it is new for every page and after every start.
    nonce = gr.Textbox(value=lambda: uuid.uuid4().hex, visible="hidden", elem_classes="visually-hidden")
    made = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    @page.told
    def start(request: gr.Request, key: str, *values: Any) -> str:
        look_first(page, opened(page, values[1]) or BASELINE)  # what the hub would refuse is said now, not by the run
        version, drafted = draft_form(page, widgets, values, owner(request))
        blocking = [problem for problem in drafted.problems if problem.severity == "error"]
        if blocking:
            text = " ".join(problem.text(page.language) for problem in blocking[:3])
            raise gr.Error(text, duration=12, print_exception=False)
        seconds = drafted.estimate.seconds if drafted.estimate else None
        return page.desk.submit(drafted.spec, key=str(key)[:64] or None, data_name=version.name, estimate=seconds)

    widgets.start.click(start, [nonce, *widgets.inputs()], made, api_visibility="private", concurrency_limit=4).success(
        None,
        made,
        nonce,
        js="(run) => { window.studio.open({ tab: 'train', run }); return window.studio.nonce(); }",
    )


def arrive(page: Page, address: dict[str, str]) -> dict[str, Any]:
    """Choices and values for an address; `from` fills the form with an earlier run's settings."""
    if address["tab"] != "train":
        return {}
    wanted, settings = address["data"], None
    if address["from"]:
        settings = page.desk.spec(address["from"])
        wanted = settings.data
    elif not wanted and address["run"]:
        wanted = page.desk.get(address["run"]).data
    # Data that only ever a run was told how to use can be chosen with that run's settings.
    choices = data_sets(page, ready=True, also=settings.data if settings else "")
    chosen = pick(choices, wanted)
    given = ""
    if chosen and settings:
        given = Given(chosen, Use(settings.task, dict(settings.columns), settings.split), settings).dumps()
    elif chosen:
        given = Given(chosen, use_of(page.workspace, find_version(page.workspace, chosen))[0]).dumps()
    # The same again leaves the form as a person filled it; other data, columns or settings fill it anew.
    return {"train_data": gr.Dropdown(choices=choices, value=chosen), "train_given": given}
