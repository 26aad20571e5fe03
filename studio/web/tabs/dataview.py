"""What the Data tab says about a data set: its one line, findings, pictures, and rows as the model sees them."""

from __future__ import annotations

from typing import Any

from studio.data.checks import check, length_histogram, shares
from studio.data.roles import suggest
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.problem import Problem
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.kinds.base import faces
from studio.web.tabs.preflight import shown_problems

MOST_ANSWERS = 6


def facts_line(page: Page, version: DataVersion) -> str:
    """Name, size, format and encoding in one sentence."""
    profile = version.profile()
    return page.t(
        "web.data.line",
        name=version.name,
        rows=version.rows,
        columns=len(version.columns),
        format=str(profile.get("format", "")).upper(),
        encoding=str(profile.get("encoding") or "UTF-8"),
    )


def answers(page: Page, version: DataVersion) -> list[dict[str, Any]]:
    """What the columns of an unsure guess could mean, each as a whole answer that a person can press."""
    told = []
    for item in suggest(version).alternatives:
        assert item.task is not None, "an answer names its task"
        roles = [f"{page.t(f'role.{item.task}.{role}')} = {column}" for role, column in item.columns.items()]
        text = f"{page.t(f'task.{item.task}.title')}: {', '.join(roles)}"
        told.append({"text": text, "task": item.task, "columns": item.columns})
    return told[:MOST_ANSWERS]


def findings(page: Page, version: DataVersion, use: Use) -> tuple[list[Problem], dict[str, Any]]:
    """All problems of the data for this use, and the same for the page with the sizes of the split."""
    problems = check(version, use.task, use.columns, use.split)
    title = page.t("web.data.findings")
    if not any(problem.severity == "error" for problem in problems):
        sizes = shares(version, use.task, use.columns, use.split).sizes
        title += " · " + page.t("web.data.split_line", **sizes)
    return problems, {"shown": True, "title": title, "problems": shown_problems(problems, page.language)}


def charts(page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
    """What the kind draws of the answers, and bars for the lengths; no chart where there is nothing to draw."""
    drawn = faces.get(tasks.get(use.task).result).charts(page, version, use)
    if bins := length_histogram(version, use.task, use.columns):
        drawn.append(
            {
                "title": page.t("web.data.lengths"),
                "x": [name for name, _ in bins],
                "y": [count for _, count in bins],
                "x_title": page.t("web.data.characters"),
                "y_title": page.t("web.data.rows"),
                "horizontal": False,
            }
        )
    return drawn


def rendered(page: Page, version: DataVersion, use: Use) -> dict[str, Any]:
    """{"texts", "note"}: rows as the model will see them, where the kind shows them, and what has to be known."""
    return faces.get(tasks.get(use.task).result).rendered(page, version, use)
