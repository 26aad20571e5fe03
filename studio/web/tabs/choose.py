"""Lists to choose from that several tabs share: finished runs, data sets."""

from __future__ import annotations

import time
from typing import Any

from studio.data.store import DataVersion, list_versions
from studio.data.use import saved_use
from studio.web.context import Page
from studio.web.describe import describe

Choices = list[tuple[str, str]]


def finished_runs(page: Page, able: str) -> Choices:
    """(what to show, run id) of runs that have a report (`able` "has_report") or can be tried ("can_play")."""
    # A run that is still learning can be tried already: its simple models are there after seconds.
    views = [view for view in page.desk.list() if able == "can_play" or not view.active]
    shown = [describe(page.desk, view, page.language) for view in views]
    return [(_run(run), run["id"]) for run in shown if run[able]]


def _run(run: dict[str, Any]) -> str:
    """A run's name, where it has another than its data's, what it is, and when it began."""
    named = [run["name"]] if run["name"] != run["data_name"] else []
    return " · ".join([*named, run["about"], _when(run["created"])])


def data_sets(page: Page, ready: bool = False, also: str = "") -> Choices:
    """(what to show, version) of the workspace's data, newest first; `ready`: only what has its columns confirmed.

    Versions that only lie on the way to another one are left out; the version `also` never is.
    """
    whole = list_versions(page.workspace)
    passed = {version.parent for version in whole if version.parent}
    shown = [version for version in whole if not version.root or version.version not in passed]
    found = [
        version
        for version in whole
        if version.version == also
        or (version in shown and (not ready or saved_use(page.workspace, version.owner, version.version)))
    ]
    return [(_about(page, item), item.version) for item in found]


def _about(page: Page, version: DataVersion) -> str:
    steps = [page.t("web.data.with_steps", n=len(version.steps))] if version.steps else []
    return " · ".join([version.name, *steps, str(version.rows), _when(version.created)])


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def pick(choices: Choices, wanted: str) -> str | None:
    """`wanted` where it can be chosen; the first choice where nothing is wanted; else nothing, never another."""
    keys = [key for _, key in choices]
    if wanted:
        return wanted if wanted in keys else None
    return keys[0] if keys else None
