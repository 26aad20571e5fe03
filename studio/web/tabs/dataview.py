"""What the Data tab says about a data set: its one line, findings, pictures, and rows as the model sees them."""

from __future__ import annotations

from typing import Any

from studio.data.doctor.examining import MARKS
from studio.data.findings import diagnosis, known
from studio.data.queries import check, label_counts, length_histogram, shares
from studio.data.roles import suggest
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.problem import Problem
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.kinds.base import faces
from studio.web.stepview import shown_finding
from studio.web.tabs.preflight import shown_problems

MOST_LABELS = 60
"""Labels that can be given new names in the form of a step."""
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


def origin_line(page: Page, version: DataVersion) -> str:
    """Where data that were no file came from; "" for a file."""
    told = version.origin
    if told.get("kind") == "hub":
        split = told["split"] or page.t("web.data.every_split")
        revision = str(told["revision"])[:8]
        return page.t("web.data.from_hub", id=told["id"], config=told["config"], split=split, revision=revision)
    return page.t("web.data.from_run", run=told["name"], file=told["file"]) if told.get("kind") == "run" else ""


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
    title = ""
    if not any(problem.severity == "error" for problem in problems):
        sizes = shares(version, use.task, use.columns, use.split).sizes
        title = page.t("web.data.split_line", **sizes)
    doctor = known(version, use)
    listed = None if doctor is None else diagnosis(version, use, doctor)
    return problems, {
        "shown": True,
        "title": title,
        "problems": shown_problems(problems, page.language),
        "findings": None if listed is None else [shown_finding(one, page.language) for one in listed],
    }


def bench(version: DataVersion, use: Use) -> dict[str, Any]:
    """What the workshop's forms have to know of the data: its columns, what they are used for, the labels there are."""
    label = use.columns.get("label", "")
    counts = label_counts(version, label, MOST_LABELS) if label in version.columns else []
    texts = [column for role, column in use.columns.items() if role not in MARKS and column in version.columns]
    return {
        "use": use.to_json(),
        "columns": list(version.columns),
        "texts": texts,
        "label": label,
        "labels": [list(pair) for pair in counts],
        "steps": len(version.steps),
    }


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
