"""What the playground answers: an answer of every model, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.evaluation.baseline import best, load_all
from studio.inference.adapters import can_be_turned_down
from studio.inference.client import Stages, whole
from studio.tasks.base import Task, tasks
from studio.tasks.earlier import EARLIER
from studio.web.context import Page
from studio.web.describe import describe
from studio.web.kinds.base import faces
from studio.web.tabs import bounds, conversing
from studio.web.tabs.answerfile import SIMPLE, has_model
from studio.words import has


def asked_roles(task: Task) -> list[str]:
    """The roles that the playground asks for, a box each."""
    return [role.key for role in task.asked if role.required] or [task.bare_role]


def answered(page: Page, run: str | None, texts: Sequence[str | None], **more: Any) -> dict[str, Any] | None:
    """The answers of `answering` alone."""
    found: dict[str, Any] | None = whole(answering(page, run, texts, **more))
    return found


def answering(
    page: Page,
    run: str | None,
    texts: Sequence[str | None],
    which: str | None = None,
    further: Mapping[str, list[Any]] | None = None,
    strength: float = 1.0,
    lines: str | None = "",
) -> Stages:
    """The tuned model's answer beside what came before it, or that of the simple model alone; `texts` fill the roles
    that are asked, `further` are the inputs of the kinds' own widgets, `strength` how much of an adapter counts,
    `lines` the earlier texts of the conversation. Raises UserError (`text_empty`, `text_long`)."""
    if not run:
        return None
    given = _bounded(texts, further or {})
    folder, task = page.desk.folder(run), tasks.get(page.desk.get(run).task)
    roles = asked_roles(task)
    if not all(text.strip() for text in given[: len(roles)]):
        raise UserError("text_empty")
    row: dict[str, str | None] = dict(zip(roles, given, strict=False))
    told = {"kind": task.result, "truth": "", "text": given[0], "texts": given[: len(roles)], "row": dict(row)}
    if conversing.context_of(page, run) and (before := bounds.bounded(lines, bounds.TEXT)).strip():
        row[EARLIER] = told["earlier"] = before
    if key := simple_alone(folder, which):
        alone = yield from page.inference.predicting(folder, [row], key)
        title = page.t("web.play.simple", name=page.t(f"ladder.{key}"))
        answers = [{"key": key, "title": title, "note": "", "prediction": alone.predictions[0]}]
        return {**told, "answers": answers, "ms": alone.milliseconds}
    face = faces.get(task.result)
    mine = (further or {}).get(face.key) or [""]
    row |= face.settings(mine)
    found = yield from page.inference.looking_back(folder, [row], face.describe(mine))
    answers = _before(page, found["answers"], alone=bool(row.get(EARLIER)))
    milliseconds = None
    if has_model(folder):
        share = strength if can_be_turned_down(folder) else 1.0
        tuned = yield from page.inference.predicting(folder, [row], strength=share)
        milliseconds = tuned.milliseconds
        note = page.t("web.play.strength_note", percent=round(100 * share)) if share < 1 else ""
        first = {"key": "tuned", "title": page.t("web.play.tuned"), "note": note, "prediction": tuned.predictions[0]}
        answers.insert(0, first)
    elif answers and page.desk.get(run).active:
        answers[-1]["note"] = page.t("web.play.not_ready")
    elif answers and (alone_told := describe(page.desk, page.desk.get(run), page.language)["without_model"]):
        answers[-1]["note"] = alone_told
    return {**told, "answers": answers, "ms": milliseconds}


def _bounded(texts: Sequence[str | None], further: Mapping[str, list[Any]]) -> list[str]:
    """The texts as sent. Raises UserError (`text_empty`, `text_long`)."""
    given = [bounds.bounded(text, bounds.TEXT) for text in texts]
    for values in further.values():
        for value in values:
            bounds.bounded(value if isinstance(value, str) else "", bounds.LINES)
    if not given or not given[0].strip():
        raise UserError("text_empty")
    return given


def _before(page: Page, found: list[dict[str, Any]], alone: bool) -> list[dict[str, Any]]:
    """What came before tuning, with its titles: the simple model, and what the base says; `alone`: of the text without
    what went before it."""
    answers: list[dict[str, Any]] = []
    for one in found:
        key = one["key"]
        if has(f"web.play.{key}_note"):
            title, note = page.t(f"web.play.{key}"), page.t(f"web.play.{key}_note")
        else:
            title, note = page.t("web.play.simple", name=page.t(f"ladder.{key}")), ""
        if alone:
            note = f"{note} {page.t('web.play.text_alone')}".strip()
        answers.append({"key": key, "title": title, "note": note, "prediction": one["predictions"][0]})
    # The same model untuned stands beside the tuned one, the simple model below them.
    return sorted(answers, key=lambda answer: answer["key"] != "base")


def simple_alone(run_dir: Path, which: str | None) -> str | None:
    """The simple model that shall answer alone, when a person chose so; None where it has nothing beside it."""
    return best(load_all(run_dir)) if which == SIMPLE and has_model(run_dir) else None
