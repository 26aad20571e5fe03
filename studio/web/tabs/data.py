"""Data: what have I got, and is it good? A file in, its rows, its problems, what its columns mean, the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.data.roles import columns_for
from studio.data.store import find_version
from studio.data.use import Use, save_use
from studio.errors import UserError
from studio.problem import Problem
from studio.runs.draft import use_of
from studio.tasks.base import tasks
from studio.web.about import shown_about
from studio.web.context import Page
from studio.web.correcting import shown_editing
from studio.web.doubting import shown_doubts
from studio.web.island import island, lead
from studio.web.tabs import gridview, splitting, upload
from studio.web.tabs.choose import data_sets, pick
from studio.web.tabs.dataview import answers, bench, charts, facts_line, findings, origin_line, rendered
from studio.web.tabs.gridview import QUIET

NO_COLUMN = ""


@dataclass
class Widgets:
    """The tab's components, so that handlers can name what they set."""

    chosen: gr.Dropdown
    facts: gr.HTML
    task: gr.Radio
    roles: dict[tuple[str, str], gr.Dropdown]
    groups: dict[str, gr.Group]
    split: list[Any]
    about: gr.HTML
    findings: gr.HTML
    mending: gr.HTML
    charts: gr.HTML
    rendered: gr.HTML
    reading: gr.HTML
    search: gr.Textbox
    place: gr.Textbox
    grid: gr.HTML
    use: gr.Button

    def inputs(self) -> list[Any]:
        """What "Use these columns" reads."""
        return [self.chosen, self.task, *self.split, *self.roles.values()]


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context and wire it."""
    lead(page.t("web.data.lead"))
    with gr.Row():
        with gr.Column(scale=2):
            drop = gr.File(
                label=page.t("web.data.upload"),
                file_count="multiple",
                type="filepath",
                height=150,
                elem_id="data-drop",
                elem_classes="drop",
            )
            upload.wire(page, drop)
            upload.paste(page)
            upload.hub(page)
        with gr.Column(scale=3):
            chosen = gr.Dropdown(
                label=page.t("web.data.chosen"),
                info=page.t("web.data.chosen_info"),
                choices=[],
                value=None,
                elem_id="data-chosen",
            )
            facts = island("facts", elem_id="data-facts")
    widgets = _columns(page, chosen, facts)
    page.parts["data"] = chosen
    _wire(page, widgets)


def _columns(page: Page, chosen: gr.Dropdown, facts: gr.HTML) -> Widgets:
    keys = [(page.t(f"task.{task.key}.title"), task.key) for task in tasks]
    roles: dict[tuple[str, str], gr.Dropdown] = {}
    groups: dict[str, gr.Group] = {}
    task = gr.Radio(keys, label=page.t("web.data.task"), elem_id="data-task")
    with gr.Row(equal_height=True):
        for item in tasks:
            with gr.Column(visible=False, scale=4, elem_id=f"roles-{item.key}") as groups[item.key], gr.Row():
                for role in item.columns:
                    roles[item.key, role.key] = gr.Dropdown(
                        choices=[],
                        value=None,
                        label=page.t(f"role.{item.key}.{role.key}"),
                        elem_id=f"role-{item.key}-{role.key}",
                        min_width=140,
                    )
        # Not before the columns of what is chosen are filled in: what is pressed is what is seen.
        use = gr.Button(page.t("web.data.use"), variant="primary", elem_id="data-use", min_width=160, interactive=False)
    split = splitting.panel(page)
    about = island("about", elem_id="data-about")
    with gr.Row():
        with gr.Column(scale=3):
            found = island("doctor", elem_id="data-findings")
        with gr.Column(scale=2):
            mending = island("mending", elem_id="data-mending")
            drawn = island("charts", elem_id="data-charts")
    seen = island("rendered", elem_id="data-rendered")
    reading = island("reading", elem_id="data-reading")
    with gr.Row(equal_height=True):
        search = gr.Textbox(
            label=page.t("web.data.search"),
            info=page.t("web.data.search_info"),
            elem_id="data-search",
            scale=4,
            max_lines=1,
        )
        place = gr.Textbox("", visible="hidden", elem_classes="visually-hidden")
    grid = island("grid", elem_id="data-grid")
    islands = (about, found, mending, drawn, seen, reading)
    widgets = Widgets(chosen, facts, task, roles, groups, split, *islands, search, place, grid, use)
    gridview.wire(page, chosen, search, place, grid)
    return widgets


def _wire(page: Page, widgets: Widgets) -> None:
    roles = list(widgets.roles.values())
    columns = [widgets.task, *widgets.groups.values(), *roles]
    look = _look(page, widgets)

    @page.told
    def show(version: str | None) -> list[Any]:
        """Everything about a data set that was just chosen."""
        if not version:
            blank = [gr.Dropdown(choices=[], value=None)] * len(roles)
            hidden = [gr.Column(visible=False)] * len(widgets.groups)
            split = [gr.skip()] * len(widgets.split)
            return [gr.skip(), None, None, *hidden, *blank, None, None, "", *split]
        found = find_version(page.workspace, version)
        use, reason, values, sure = use_of(page.workspace, found)
        grid, place = gridview.first_page(page, found)
        line = {"line": facts_line(page, found), "reason": page.t(reason, **values), "sure": sure}
        line["origin"] = origin_line(page, found)
        line["answers"] = [] if sure else answers(page, found)
        split = splitting.filled(found, use.split)
        columns = _filled(page, widgets, found.columns, use)
        return [gr.Button(interactive=True), line, *columns, grid, "", place, *split]

    @page.told
    def choose_task(version: str | None, task: str | None) -> list[Any]:
        """The roles of a task that was chosen by hand, filled in as far as they can be guessed."""
        if not version or not task:
            return [*(gr.Column(visible=key == task) for key in widgets.groups), *[gr.skip()] * len(roles)]
        found = find_version(page.workspace, version)
        use, _, _, _ = use_of(page.workspace, found)
        if use.task != task:
            use = Use(task, columns_for(found.profile()["columns"], tasks.get(task)))
        return _filled(page, widgets, found.columns, use)[1:]

    @page.told
    def answer(version: str | None, event: gr.EventData) -> list[Any]:
        """One of the answers to the question what the columns mean was pressed."""
        told = dict(event._data or {})
        found = find_version(page.workspace, str(version or ""))
        known = next((item for item in answers(page, found) if item["text"] == told.get("text")), None)
        if known is None:
            return [gr.skip()] * len(columns)
        return _filled(page, widgets, found.columns, Use(known["task"], known["columns"]))

    shown = [widgets.use, widgets.facts, *columns, widgets.grid, widgets.search, widgets.place, *widgets.split]
    widgets.chosen.change(None, None, widgets.use, js="() => ({ __type__: 'update', interactive: false })")
    widgets.chosen.change(show, widgets.chosen, shown, **QUIET).then(*look, **QUIET)
    widgets.chosen.input(None, widgets.chosen, None, js="(data) => window.studio.open({ tab: 'data', data }, true)")
    widgets.task.input(choose_task, [widgets.chosen, widgets.task], columns[1:], **QUIET).then(*look, **QUIET)
    widgets.facts.click(answer, widgets.chosen, columns, **QUIET).then(*look, **QUIET)
    # Only what a person changes asks again; what the handlers above fill in has been examined by them.
    edited = [*(role.input for role in roles), *(part.input for part in splitting.plain(widgets.split))]
    gr.on(edited, *look, **{**QUIET, "trigger_mode": "always_last"})
    splitting.wire(page, widgets.chosen, widgets.split).then(*look, **QUIET)
    _wire_use(page, widgets)


def _look(page: Page, widgets: Widgets) -> list[Any]:
    """The handler that says what is wrong, draws and renders, with its inputs and outputs."""

    @page.told
    def examine(*values: Any) -> list[Any]:
        """Findings, charts and rendered rows for the columns as they are chosen now."""
        version, use = _read(widgets, values)
        if not version:
            return [None] * 6
        found = find_version(page.workspace, version)
        tools = {**bench(found, use), "doubts": shown_doubts(page.desk, found, use, page.language)}
        about = shown_about(found, use, page.language)
        tools["editing"] = shown_editing(found, use)
        if not use.task or not use.columns:
            return [about, None, {**tools, "version": version}, None, None, None]
        problems, lines = findings(page, found, use)
        blocked = _blocked(problems)
        seen = {} if blocked else rendered(page, found, use)
        # The page drops an answer about data that is no longer the chosen one: a slow one may come last.
        told = (lines | tools, tools, {"figures": charts(page, found, use)}, seen)
        reading = None if blocked else {"version": version, "use": use.to_json()}
        return [about, *({**value, "version": version} for value in told), reading]

    shown = [widgets.about, widgets.findings, widgets.mending, widgets.charts, widgets.rendered, widgets.reading]
    return [examine, widgets.inputs(), shown]


def _wire_use(page: Page, widgets: Widgets) -> None:
    saved = gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    @page.told
    def use_columns(*values: Any) -> str:
        version, use = _read(widgets, values)
        if not version:
            raise gr.Error(page.t("web.data.none"), print_exception=False)
        found = find_version(page.workspace, version)
        if not use.task:
            raise UserError("task_not_chosen", name=found.name)
        problems, _ = findings(page, found, use)
        blocking = _blocked(problems)
        if blocking:
            raise gr.Error(" ".join(problem.text(page.language) for problem in blocking[:3]), print_exception=False)
        save_use(page.workspace, found.owner, found.version, use)
        return version

    widgets.use.click(use_columns, widgets.inputs(), saved, api_visibility="private").success(
        None, widgets.chosen, None, js="(data) => window.studio.open({ tab: 'train', data, run: '' })"
    )


def _filled(page: Page, widgets: Widgets, columns: tuple[str, ...], use: Use) -> list[Any]:
    """Task, role groups and role dropdowns for a use."""
    groups = [gr.Column(visible=key == use.task) for key in widgets.groups]
    return [use.task or None, *groups, *(_role(page, columns, use, task, role) for task, role in widgets.roles)]


def _role(page: Page, columns: tuple[str, ...], use: Use, task: str, role: str) -> gr.Dropdown:
    """A role's dropdown: the guessed or confirmed column; a role that is not required may stay empty."""
    declared = next(item for item in tasks.get(task).columns if item.key == role)
    choices = [(name, name) for name in columns]
    if not declared.required:
        choices.insert(0, (page.t("web.data.column_none"), NO_COLUMN))
    guessed = use.columns.get(role) if task == use.task else None
    return gr.Dropdown(choices=choices, value=guessed if guessed or declared.required else NO_COLUMN)


def _blocked(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _read(widgets: Widgets, values: tuple[Any, ...]) -> tuple[str | None, Use]:
    """The form's values as a data version and how it is used; roles of other tasks are left out."""
    version, task, *rest = values
    split, named = rest[: splitting.FIELDS], rest[splitting.FIELDS :]
    columns = {
        role: str(column)
        for (of, role), column in zip(widgets.roles, named, strict=True)
        if of == task and column not in (None, NO_COLUMN)
    }
    return version, Use(str(task or ""), columns, splitting.read(split))


def arrive(page: Page, address: dict[str, str]) -> dict[str, Any]:
    """Choices and value for an address."""
    if address["tab"] != "data":
        return {}
    choices = data_sets(page, also=address["data"])
    return {"data": gr.Dropdown(choices=choices, value=pick(choices, address["data"]))}
