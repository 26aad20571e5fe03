"""The check before the start, as the page shows it: what it will cost here, and every problem at once."""

from __future__ import annotations

import shutil
from typing import Any

import psutil

from studio.data.exposed import redactable
from studio.data.store import find_version
from studio.problem import Problem
from studio.runs.draft import Draft
from studio.web.context import Page

PERSONAL = ("personal_data", "personal_data_some")


def shown_problems(problems: list[Problem], language: str) -> list[dict[str, Any]]:
    """Problems as JSON for the page, the gravest first."""
    grave = {"error": 0, "warning": 1, "note": 2}
    ordered = sorted(problems, key=lambda problem: grave[problem.severity])
    return [
        {"code": p.code, "severity": p.severity, "text": p.text(language), "examples": [list(e) for e in p.examples]}
        for p in ordered
    ]


def shown_preflight(page: Page, made: Draft) -> dict[str, Any]:
    """{"title", "problems", "estimate", "free"}; a problem that a step takes away names the version under "protect"."""
    severities = {problem.severity for problem in made.problems}
    code = "blocked" if "error" in severities else "ready_with" if "warning" in severities else "ready"
    free = f"{psutil.virtual_memory().available / 2**30:.1f} GB"
    disk = f"{shutil.disk_usage(page.workspace.home).free / 2**30:.0f} GB"
    estimate = made.estimate
    problems = shown_problems(made.problems, page.language)
    if redactable(find_version(page.workspace, made.spec.data), made.spec.columns):
        for problem in problems:
            if problem["code"] in PERSONAL:
                problem["protect"] = made.spec.data
    return {
        "title": page.t(f"web.train.{code}"),
        "problems": problems,
        "estimate": estimate
        and {"seconds": estimate.seconds, "memory": estimate.memory_bytes, "disk": estimate.disk_bytes},
        "free": page.t("web.train.free", memory=free, disk=disk),
    }
