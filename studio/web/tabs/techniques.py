"""Techniques on the Train tab: each with a sentence and its cost, turned on at a press; set are the options below.

With few rows a label, tuning only the head stands among them: it sets the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.data.store import find_version
from studio.runs.draft import Draft, draft, suggest_method, verdicts
from studio.runs.techniques import TECHNIQUES, Technique, cost
from studio.runs.techniques import technique as technique_of
from studio.tasks.base import Task, tasks
from studio.training.language import PHASE as LANGUAGE
from studio.training.language import SHARE
from studio.web.context import Page
from studio.web.live import spoken_time
from studio.web.tabs.bounds import sent
from studio.web.tabs.given import Given

Place = tuple[str, str, str]
"""Of an option's widget: scope, group and name."""

UNEVEN = "labels_uneven"
FEW = "few"
HEAD = "head"
_FEWEST, _MOST = 4, 64
"""Rows a label between which a head alone is worth a try."""


def shown_techniques(page: Page, made: Draft) -> list[dict[str, Any]]:
    """[{"key", "title", "help", "cost", "on", "why", "advice"}]: `why` it cannot be had, `advice` where it is worth a
    try with these rows."""
    task = tasks.get(made.spec.task)
    if not made.spec.model:
        return []
    return [*_few(page, task, made), *(_shown(page, one, task, made) for one in TECHNIQUES if one.applies(task))]


def _shown(page: Page, one: Technique, task: Task, made: Draft) -> dict[str, Any]:
    times = cost(one, made.spec.options.get("training", {}))
    uneven = next((problem.values for problem in made.problems if problem.code == UNEVEN), None)
    told = _card(page, one.key, one.used(made.spec.options, task))
    told["cost"] = page.t("technique.times", times=times) if times > 1 else page.t("technique.free")
    if one.key == LANGUAGE:
        _language(page, made, told)
    if one.key == "context":
        _context(page, made, told)
    if one.key == "augment" and not task.alterable:
        told["why"] = page.t("technique.augment_none")
    if one.key == "weights" and uneven:
        told["advice"] = page.t("technique.weights_advice", high=uneven["high"], low=uneven["low"])
    return told


def _language(page: Page, made: Draft, told: dict[str, Any]) -> None:
    """The seconds of the first phase, as measured where they were; or why there can be none."""
    if made.no_language is not None:
        told["cost"], told["why"] = "", page.t(made.no_language.code, **made.no_language.values)
    elif made.language is not None:
        time = spoken_time(made.language, page.language)
        told["cost"] = page.t("technique.language_cost", time=time, share=round(100 * SHARE))


def _context(page: Page, made: Draft, told: dict[str, Any]) -> None:
    """How much longer the texts become; or that no column says which rows belong together."""
    if made.context is None:
        told["cost"], told["why"] = "", page.t("technique.context_none")
    else:
        told["cost"] = page.t("technique.context_cost", times=f"{made.context:.1f}")


def _few(page: Page, task: Task, made: Draft) -> list[dict[str, Any]]:
    """The head alone, where there are few rows a label and the method can be had."""
    rows, used = _rows_a_label(page, task, made), made.spec.method == HEAD
    if rows is None or not (used or _FEWEST <= rows <= _MOST):
        return []
    able = verdicts(page.workspace, task.key, made.spec.model).get(HEAD)
    if able is None or not able.ok:
        return []
    told = _card(page, FEW, used)
    told["cost"] = page.t("technique.few_cost")
    if _FEWEST <= rows <= _MOST:
        told["advice"] = page.t("technique.few_advice", rows=rows)
    return [told]


def _card(page: Page, key: str, used: bool) -> dict[str, Any]:
    title, text = page.t(f"technique.{key}"), page.t(f"technique.{key}_help")
    return {"key": key, "title": title, "help": text, "cost": "", "on": used, "why": "", "advice": ""}


def _rows_a_label(page: Page, task: Task, made: Draft) -> int | None:
    """Rows a label on average; None for a task without one label a row."""
    if task.result != "labels":
        return None
    version = find_version(page.workspace, made.spec.data)
    named = made.spec.columns.get(task.roles[-1].key)
    column = next((one for one in version.profile()["columns"] if one["name"] == named), None)
    return None if column is None else round(version.rows / max(1, int(column["distinct"])))


def pressed(
    page: Page, filled: Given, options: Mapping[Place, Any], event: gr.EventData, values: tuple[Any, ...]
) -> list[Any]:
    """New values of the method and of the option widgets after a press: what was pressed is turned on, or off again.
    `values` are model, preset, the values that the plan had filled in, method and options as they stand."""
    model, preset, planned, method, *given = values
    use = filled.use.task
    key = str(sent(event).get("key", ""))
    if key == FEW:
        found = verdicts(page.workspace, use, str(model or ""))
        other = HEAD if method != HEAD else suggest_method(tasks.get(use), found)
        return [other, *[gr.skip()] * len(given)]
    one = technique_of(key)
    scope, off = "" if one.group == "training" else use, one.off(tasks.get(use))
    now = dict(zip(options, given, strict=True))
    value = now[scope, one.group, one.option]
    turned = one.on if value == off or value is None else off
    if key == LANGUAGE:
        by_hand = {
            place: value
            for (place, value), before in zip(now.items(), planned, strict=False)
            if value is not None and value != before and place[0] in ("", use, method)
        }
        by_hand[scope, one.group, one.option] = turned
        return [gr.skip(), *_shared(page, filled, str(model or ""), str(method or ""), str(preset), options, by_hand)]
    return [gr.skip(), *(turned if place == (scope, one.group, one.option) else gr.skip() for place in options)]


def _shared(
    page: Page,
    filled: Given,
    model: str,
    method: str,
    preset: str,
    options: Mapping[Place, Any],
    by_hand: Mapping[Place, Any],
) -> list[Any]:
    """The option values of a plan made anew around those set by hand: the first phase shares the preset's time."""
    chosen: dict[str, dict[str, Any]] = {}
    for (_, group, name), value in by_hand.items():
        chosen.setdefault(group, {})[name] = value
    version = find_version(page.workspace, filled.data)
    made = draft(
        page.workspace, version, use=filled.use, model=model, method=method, preset=preset, options=chosen
    )  # fmt: skip
    return [
        made.spec.options.get(group, {}).get(name, gr.skip()) if group == "training" else gr.skip()
        for _, group, name in options
    ]
