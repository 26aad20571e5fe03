"""Models that are not in the picker: found on the hub, fetched by hand, or taken from a folder of the server."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import UserError
from studio.models.card import read_card
from studio.models.catalogue import place
from studio.models.local import checked
from studio.models.local import found as found_folders
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.tabs.bounds import bounded, sent
from studio.web.tabs.choose import Choices
from studio.web.tabs.given import read
from studio.web.tabs.modelview import model_choices, searched
from studio.web.tabs.trainform import Widgets, hold

LONGEST_MODEL = 400
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}
Step = tuple[Any, list[Any], list[Any]]


def opened(page: Page, typed: Any) -> str:
    """What was typed as a model. Raises UserError (`text_long`) for more than any id has, and for a folder that is not
    open to pages (`model_folder_closed`)."""
    return checked(page.workspace, bounded(str(typed or "").strip(), LONGEST_MODEL))


def folders(page: Page) -> gr.Dropdown:
    """The box for a folder with what lies where models are kept."""
    return gr.Dropdown(choices=[(str(folder), str(folder)) for folder in found_folders(page.workspace)], value=None)


def wire(page: Page, widgets: Widgets, steps: list[Step]) -> None:
    """`steps` show the model that was taken and check the form again."""

    def taken(choices: Choices, chosen: str, title: str) -> gr.Dropdown:
        if chosen not in [key for _, key in choices]:
            choices.append((title, chosen))
        return gr.Dropdown(choices=choices, value=chosen)

    @page.told
    def search(text: str, given: str) -> Any:
        filled, wanted = read(given), bounded(str(text or "").strip(), LONGEST_MODEL)
        return searched(page, filled.use.task, wanted) if filled and wanted else None

    @page.told
    def take(given: str, event: gr.EventData) -> Any:
        """A line of the search."""
        filled, chosen = read(given), bounded(str(sent(event).get("model", "")).strip(), LONGEST_MODEL)
        if not filled or not chosen.startswith("hub:"):
            return gr.skip()
        return taken(model_choices(page, filled.use.task), chosen, chosen.removeprefix("hub:"))

    @page.told
    def take_folder(typed: str | None, given: str) -> list[Any]:
        """A folder of the server: taken where it holds a model for this task, else told why not."""
        filled, wanted = read(given), str(typed or "").strip().removeprefix("local:")
        if not filled or not wanted:
            return [gr.skip(), None]
        try:
            chosen = opened(page, f"local:{wanted}")
            card = read_card(place(page.workspace, chosen), chosen)
            task = tasks.get(filled.use.task)
            if card.kind not in task.models:
                raise UserError("model_other_kind", folder=wanted[:200], family=card.model_type,
                                task_code=f"task.{task.key}.title")  # fmt: skip
        except UserError as error:
            return [gr.skip(), error.parts(page.language)]
        return [taken(model_choices(page, filled.use.task), chosen, card.title), None]

    @page.told
    def fetched(given: str, model: str | None, event: gr.EventData) -> Any:
        """The card's own download has ended: the picker no longer says that the model is not here."""
        filled, arrived = read(given), bounded(str(sent(event).get("fetched", "")), LONGEST_MODEL)
        if not filled or not arrived or arrived != model:
            return gr.skip()
        return taken(model_choices(page, filled.use.task), arrived, arrived.partition(":")[2])

    def follow(trigger: Any, event: Any) -> None:
        for step in steps:
            event = event.then(*step, **QUIET)
        hold(trigger, event)

    widgets.find.submit(search, [widgets.find, widgets.given], widgets.found, **{**QUIET, "show_progress": "minimal"})
    found, folder, card = widgets.found.click, widgets.folder.input, widgets.card.click
    follow(found, found(take, widgets.given, widgets.model, **QUIET))
    follow(folder, folder(take_folder, [widgets.folder, widgets.given], [widgets.model, widgets.refused], **QUIET))
    follow(card, card(fetched, [widgets.given, widgets.model], widgets.model, **QUIET))
