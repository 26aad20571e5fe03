"""Techniques on the Train tab: each with a sentence and its cost, turned on at a press; set are the options below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.problem import Problem
from studio.runs.draft import Draft
from studio.runs.techniques import TECHNIQUES, Technique, cost
from studio.runs.techniques import technique as technique_of
from studio.tasks.base import Task, tasks
from studio.web.context import Page
from studio.web.tabs.bounds import sent

UNEVEN = "labels_uneven"


def shown_techniques(page: Page, made: Draft) -> list[dict[str, Any]]:
    """[{"key", "title", "help", "cost", "on", "why", "advice"}]: `why` it cannot be had, `advice` where it is worth a
    try with these rows."""
    task = tasks.get(made.spec.task)
    if not made.spec.model:
        return []
    return [_shown(page, one, task, made) for one in TECHNIQUES if one.applies(task)]


def _shown(page: Page, one: Technique, task: Task, made: Draft) -> dict[str, Any]:
    times = cost(one, made.spec.options.get("training", {}))
    uneven = next((problem for problem in made.problems if problem.code == UNEVEN), None)
    return {
        "key": one.key,
        "title": page.t(f"technique.{one.key}"),
        "help": page.t(f"technique.{one.key}_help"),
        "cost": page.t("technique.times", times=times) if times > 1 else page.t("technique.free"),
        "on": one.used(made.spec.options, task),
        "why": page.t("technique.augment_none") if one.key == "augment" and not task.alterable else "",
        "advice": _advice(page, uneven) if one.key == "weights" and uneven else "",
    }


def _advice(page: Page, uneven: Problem) -> str:
    return page.t("technique.weights_advice", high=uneven.values["high"], low=uneven.values["low"])


def pressed(task: str, options: Mapping[tuple[str, str, str], Any], event: gr.EventData, values: Any) -> list[Any]:
    """New values of the option widgets after a press: what was pressed is turned on, or off again."""
    one, known = technique_of(str(sent(event).get("key", ""))), tasks.get(task)
    scope = "" if one.group == "training" else task
    off = one.off(known)
    return [
        (one.on if value == off or value is None else off) if place == (scope, one.group, one.option) else gr.skip()
        for place, value in zip(options, values, strict=True)
    ]
