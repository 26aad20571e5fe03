"""Model and method choices of the Train tab as the page shows them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.methods.base import Verdict
from studio.models import hub
from studio.models.card import Card
from studio.models.catalogue import card as card_of
from studio.models.catalogue import fits, offered, remember
from studio.models.earlier import id_of, is_run, lineage
from studio.models.scratch import is_scratch
from studio.runs.draft import BASELINE
from studio.runs.objections import continues
from studio.runs.reading import reads_text, suggest_model, texts_of
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.describe import method_title, model_title
from studio.web.tabs.choose import Choices
from studio.web.tabs.modelcard import fetch_box, memory_line, settled
from studio.words import has

MOST_EARLIER = 20
"""So many earlier runs are offered as a base."""


def model_choices(page: Page, task: str) -> Choices:
    """(title, id) of the models whose kind fits the task; simple models alone where the task has them."""
    found = [(_named(page, card), card.id) for card in _fitting(page, task)]
    found += _made_here(page, task)
    if tasks.get(task).kind.simple:
        found.append((page.t("web.train.baseline"), BASELINE))
    return found


def _made_here(page: Page, task: str) -> Choices:
    """The newest models of the studio's own runs from which this task could continue."""
    wanted = tasks.get(task)
    found: Choices = []
    for view in page.desk.list():
        if len(found) == MOST_EARLIER or view.active or view.task not in tasks.keys():
            continue
        before = tasks.get(view.task)
        if not continues(before, wanted) or not (page.desk.folder(view.id) / "model" / "studio.json").is_file():
            continue
        with contextlib.suppress(UserError):  # its base is gone
            if card_of(page.workspace, id_of(view.id)).kind in wanted.models:
                found.append(
                    (
                        page.t("web.train.continue", name=view.name, method=method_title(view.method, page.language)),
                        id_of(view.id),
                    )
                )
    return found


def _fitting(page: Page, task: str) -> list[Card]:
    return [card for card in offered(page.workspace) if fits(tasks.get(task), card)]


def _named(page: Page, card: Card) -> str:
    """A model in the picker: what is not on this disk says so."""
    size = _size(page, card.parameters)
    if not card.on_disk:
        code = "web.train.gated_size" if card.gated else "web.train.absent_size"
        size = page.t(code, size=size, download=_megabytes(card.bytes))
    return f"{card.title} ({size})"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def look_first(page: Page, model: str) -> Card | None:
    """The card of a model, of one on the hub that nobody knows yet by a look there; None for the simple models.

    Raises UserError for a model that cannot be used, and where the hub cannot be asked.
    """
    if model == BASELINE:
        return None
    try:
        return card_of(page.workspace, model)
    except UserError as error:
        if error.code != "model_not_fetched":
            raise
    card = hub.look(page.workspace, model.removeprefix("hub:"))
    remember(page.workspace, card)
    return card


def searched(page: Page, task: str, text: str) -> dict[str, Any]:
    """What the hub has of this name for the task, a line each, or why it cannot be said."""
    try:
        found = hub.search(page.workspace, text, tasks.get(task).models)
    except UserError as error:
        return {"parts": error.parts(page.language), "models": []}
    return {
        "parts": [] if found else [page.t("web.models.none_found", text=text)],
        "models": [
            {
                "id": item["id"],
                "title": item["title"],
                "size": _size(page, item["parameters"]),
                "download": _megabytes(item["bytes"]),
                "licence": item["licence"],
                "languages": _languages(page, item["languages"]),
                "downloads": item["downloads"],
                "gated": item["gated"],
            }
            for item in found
        ],
    }


def _languages(page: Page, codes: Sequence[str]) -> str:
    named = [page.t(f"language.{code}") if has(f"language.{code}") else code for code in codes[:6]]
    return ", ".join([*named, "…"] if len(codes) > 6 else named)


def compared(page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
    """One line a model that fits the task, for choosing among them; those on disk are tried on the data's text."""
    texts = texts_of(version, use)
    return [
        {"id": card.id, "title": card.title, **_facts(page, card), "reads": _reads(page, texts, card)}
        for card in _fitting(page, use.task)
    ]


def _reads(page: Page, texts: list[str], card: Card) -> float | None:
    """The share of the texts it reads; a broken tokenizer costs its own line a number, no other line."""
    try:
        return reads_text(page.workspace, texts, card.id)
    except UserError:
        return None


def _facts(page: Page, card: Card) -> dict[str, Any]:
    """What a card and a line of the comparison both show."""
    return {
        "size": _size(page, card.parameters),
        "licence": card.licence,
        "languages": _languages(page, card.languages),
        "on_disk": card.on_disk,
        "download": _megabytes(card.bytes),
        "context": page.t("web.train.context", n=card.max_positions) if card.max_positions else "",
        "gated": card.gated and not card.on_disk,
    }


def _size(page: Page, parameters: int) -> str:
    return page.t("web.train.size", parameters=round(parameters / 1e6))


def shown_card(page: Page, version: DataVersion, use: Use, model: str) -> dict[str, Any]:
    """The model's card as JSON for the page. Raises UserError for a model that is none or breaks a rule."""
    if model == BASELINE:
        return {"size": "", "licence": "", "languages": "", "on_disk": True, "note": page.t("web.train.baseline_note")}
    try:
        card = look_first(page, model)
    except UserError as error:
        if not model.startswith("hub:"):
            raise
        nothing = {"licence": "", "languages": "", "on_disk": False, "download": ""}
        private = {"fetch": fetch_box(page, model, "private")} if error.code == "hub_not_found" else {}
        return {**nothing, **private, "size": model, "note": error.text(page.language)}
    assert card is not None
    reads = reads_text(page.workspace, texts_of(version, use), model)
    suggested = suggest_model(page.workspace, version, use) == model
    why = ""
    if suggested:
        why = (
            page.t("web.train.default_reads", share=round(100 * reads))
            if reads is not None
            else page.t("web.train.default_language")
        )
    return {
        **_facts(page, card),
        "reads": reads,
        "note": _note(page, card, model),
        "needs": _needs(page, use.task, model),
        "why": why,
        "unsure": page.t("web.models.listed") if card.listed else "",
        "memory": memory_line(page, version, use, card, _fitting(page, use.task)),
        "settled": settled(page, use.task, card),
        "fetch": None if card.on_disk or is_scratch(model) else fetch_box(page, model, "terms" if card.gated else ""),
    }


def _note(page: Page, card: Card, model: str) -> str:
    """What belongs beside the card; of an earlier run's model, what it came from."""
    if is_run(model):
        chain = [model_title(one, page.language, page.workspace) for one in lineage(page.workspace, model)]
        return page.t("web.train.continues", chain=" → ".join(chain))
    return page.t(card.note) if card.note else ""


def _needs(page: Page, task: str, model: str) -> str:
    """What model the task needs, where those that come with the studio were measured below simple ones."""
    code = f"task.{task}.needs"
    return page.t(code) if has(code) and (model.startswith("starter:") or is_scratch(model)) else ""


def method_reasons(page: Page, found: dict[str, Verdict]) -> list[dict[str, str]]:
    """One line a method: when to use it, or why it cannot be used here."""
    return [
        {
            "title": page.t(f"method.{key}.title"),
            "reason": page.t(f"method.{key}.blurb") if verdict.ok else page.t(verdict.code, **verdict.values),
            "ok": "yes" if verdict.ok else "",
        }
        for key, verdict in found.items()
    ]
