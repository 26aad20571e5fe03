"""The lower part of a model's card: its own download, the memory it needs here, what is settled about its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.data.store import DataVersion
from studio.data.use import Use
from studio.models import hub
from studio.models.card import Card
from studio.models.scratch import is_scratch
from studio.runs.fitting import Need, largest, memory_of, needs
from studio.runs.objections import CLOSE
from studio.tasks.base import tasks
from studio.web.context import Page


def fetch_box(page: Page, model: str, token: str) -> dict[str, str]:
    """What the card's own download is about; `token` says why one is asked for: "terms", "private", or not at all."""
    help_text = ""
    if token:
        code = "web.fetch.token_help" if token == "terms" else "web.fetch.private_help"
        help_text = page.t(code, page=f"{hub.host()}/{model.removeprefix('hub:')}")
    return {"model": model, "token": token, "help": help_text}


def memory_line(
    page: Page, version: DataVersion, use: Use, card: Card, others: Sequence[Card]
) -> dict[str, Any] | None:
    """Memory by method against what is here, and what fits instead where something does not; `others` are the models
    that suit the task."""
    if is_scratch(card.id):
        return None
    found = needs(page.workspace, version, use, card)
    room = gigabytes(memory_of(page.workspace))
    lines = [
        {"title": page.t(f"method.{need.method}.title"), "size": gigabytes(need.bytes), "tone": need.tone}
        for need in found
    ]
    told = _instead(page, version, use, card, found, others)
    return {"title": page.t("web.memory.title", memory=room), "methods": lines, "instead": told}


def _instead(page: Page, version: DataVersion, use: Use, card: Card, found: list[Need], others: Sequence[Card]) -> str:
    """A sentence for whoever wanted what does not fit; "" where all does."""
    bad = [need for need in found if need.tone == "bad"]
    tight = [need for need in found if need.tone == "amber"]
    good = [need for need in found if need.tone == "good"]

    def named(items: list[Need]) -> str:
        return page.t("web.memory.and").join(page.t(f"method.{need.method}.title") for need in items)

    if not bad and not tight:
        return ""
    if good:
        return page.t("web.memory.use", method=named(good[:2]), not_method=named(bad or tight))
    if tight:
        small = [need for need in tight if need.least <= CLOSE * memory_of(page.workspace)]
        chosen = (small or tight)[0]
        return page.t("web.memory.single_rows", method=named([chosen]), size=gigabytes(chosen.least))
    smaller = [item for item in others if item.parameters < card.parameters]
    other = largest(page.workspace, version, use, smaller)
    if other is None:
        return page.t("web.memory.nothing")
    return page.t("web.memory.smaller", model=other[0].title, method=named([other[1]]), size=gigabytes(other[1].bytes))


def gigabytes(count: int) -> str:
    """Bytes as a person compares them."""
    return f"{count / 1e9:.1f} GB"


def settled(page: Page, task: str, card: Card) -> list[str]:
    """What is decided about padding, begin and end, and the chat template, before anything starts."""
    if card.marks is None:
        told = [page.t("web.marks.unknown")]
    else:
        marks = card.marks
        if not marks.pad:
            code = "later"
        elif marks.pad == marks.own_pad != marks.end:
            code = "own"
        elif marks.pad == marks.end:
            code = "is_end"
        else:
            code = "instead" if marks.own_pad else "none"
        told = [page.t(f"web.marks.pad_{code}", pad=marks.pad, end=marks.end)]
        ends = "both" if marks.begin and marks.end else "end" if marks.end else "begin" if marks.begin else "neither"
        told.append(page.t(f"web.marks.{ends}", begin=marks.begin, end=marks.end))
    if card.kind == "decoder" and tasks.get(task).kind.conversational:
        told.append(page.t("web.marks.template" if card.has_chat_template else "web.marks.no_template"))
    return told
