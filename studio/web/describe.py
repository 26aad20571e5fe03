"""A run as the page shows it: its view, put into words of one language. No requests, no drawing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.inference.kinds.base import answerers
from studio.models.earlier import is_run, title
from studio.runs.desk import Desk
from studio.runs.example import sample_behind
from studio.runs.view import RunView
from studio.tasks.base import tasks
from studio.training.assemble import SCRATCH_BASE as BASE
from studio.training.firstlanguage import FOLDER as LANGUAGE
from studio.training.firstlanguage import MARK
from studio.words import has, say
from studio.workspace import Workspace

PLAYABLE = ("model", "baselines")
"""Folders of a run of which either is enough to try it."""


def model_title(model: str, language: str, workspace: Workspace | None = None) -> str:
    """A short name for a model id; of an earlier run's model the run's own name, where its workspace is known."""
    if is_run(model):
        return say("web.model_of_run", language, run=title(workspace, model) if workspace else model[4:])
    return model.partition(":")[2] or (model if model else say("web.train.baseline", language))


def method_title(method: str, language: str) -> str:
    """The name of a tuning method."""
    code = f"method.{method}.title"
    return say(code, language) if has(code) else method


def failure(view: RunView, language: str) -> list[str] | None:
    """What ended the run, why, and what to do; None for a run without trouble."""
    return UserError(view.error, **view.error_values).parts(language) if view.error else None


def _held(folder: Path) -> set[str]:
    """What lies in a run's folder; nothing when it is gone."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _spoken(held: set[str], folder: Path) -> bool:
    """Whether the run learns the language of its texts first, as far as its folder shows that it has begun to."""
    return LANGUAGE in held or (BASE in held and (folder / BASE / MARK).is_file())


def _simple_packs(task: str) -> bool:
    """Whether the simple models of a task can be taken along; a task of another studio's has none."""
    return task in tasks.keys() and bool(answerers.get(tasks.get(task).result).simple_snippet)


def describe(desk: Desk, view: RunView, language: str) -> dict[str, Any]:
    """JSON for the lists and the head of the live view. Lists hold hundreds: one look at the folder, no query."""
    folder = desk.workspace.run(view.owner, view.id)
    held = _held(folder)
    named, spoken = model_title(view.model, language, desk.workspace), _spoken(held, folder)
    if spoken:
        named = say("web.model_spoken", language, model=named)
    small = "baselines" in held and _simple_packs(view.task)
    sample = sample_behind(view.id) if "model" not in held else None
    data_name = sample.title[language] if sample else view.data_name or view.data
    return {
        "id": view.id,
        "name": view.name,
        "state": view.state,
        "owner_name": view.owner_name,
        "task": view.task,
        "data": view.data,
        "data_name": data_name,
        "model": view.model,
        "model_title": named,
        "language_first": spoken,
        "method_title": method_title(view.method, language),
        "created": view.created,
        "seconds": view.seconds if view.started or not view.active else None,
        "metric": view.metric,
        "score": view.score,
        "position": view.position,
        "expected_start": None if view.expected_start is None else max(0.0, view.expected_start - time.time()),
        "deleted": view.trashed is not None,
        "can_resume": view.resumable,
        "can_play": not held.isdisjoint(PLAYABLE),
        "can_download": ("model" in held or small) and not view.active and sample is None,
        "can_download_simple": small and not view.active and sample is None,
        "sample": sample.key if sample else "",
        "without_model": say("web.report.without_model", language, sample=sample.title[language]) if sample else "",
        "has_report": "report.json" in held,
        "failure": failure(view, language),
        "about": say(
            "web.live.about",
            language,
            data=data_name,
            model=named,
            method=method_title(view.method, language),
            owner=view.owner_name,
        ),
    }
