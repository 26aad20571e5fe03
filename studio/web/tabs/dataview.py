"""What the Data tab says about a data set: its one line, findings, pictures, and rows as the model sees them."""

from __future__ import annotations

from typing import Any

from studio.data.chat import as_messages
from studio.data.checks import check, label_counts, length_histogram
from studio.data.roles import suggest
from studio.data.split import split_rows
from studio.data.store import DataVersion, read_rows
from studio.data.use import Use
from studio.models.catalogue import resolve
from studio.models.template import render_rows
from studio.problem import Problem
from studio.runs.draft import suggest_model
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.tabs.preflight import shown_problems

MOST_BARS = 20
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
        title += " · " + page.t("web.data.split_line", **split_sizes(version, use))
    return problems, {"shown": True, "title": title, "problems": shown_problems(problems, page.language)}


def charts(page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
    """Bars for the label counts and the lengths."""
    drawn = []
    if "label" in use.columns:
        counts = label_counts(version, use.columns["label"])[:MOST_BARS]
        drawn.append(
            {
                "title": page.t("web.data.labels"),
                "x": [label for label, _ in counts],
                "y": [count for _, count in counts],
                "x_title": page.t("web.data.rows"),
                "horizontal": True,
            }
        )
    bins = length_histogram(version, use.task, use.columns)
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


def rendered(page: Page, version: DataVersion, use: Use) -> list[str]:
    """Three rows of a chat data set exactly as the model will see them; none for other tasks."""
    task = tasks.get(use.task)
    if task.result != "chat":
        return []
    rows = read_rows(version, use.columns, [0, 1, 2][: version.rows])
    talks = [as_messages(row, {role: role for role in row}) for row in rows]
    return render_rows(resolve(page.workspace, suggest_model(page.workspace, version, use)), talks)


def split_sizes(version: DataVersion, use: Use) -> dict[str, int]:
    """Rows of each part, by the same function that divides them when a run starts."""
    rows = read_rows(version, use.columns)
    task = tasks.get(use.task)
    usable = [row for row in rows if task.usable(row)]
    texts = [task.question(row) for row in usable]
    labels = [row.get("label") for row in usable] if task.result == "labels" else None
    return {part: len(places) for part, places in split_rows(texts, labels, use.split).items()}
