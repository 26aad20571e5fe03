"""A run's report in words of one language, with its still figures."""

from __future__ import annotations

from typing import Any

from studio.errors import UserError
from studio.runs.desk import Desk
from studio.web.describe import describe
from studio.words import has, say


def shown_report(desk: Desk, run: str, language: str) -> dict[str, Any]:
    """{"report", "verdict": {"text", "detail", "tone"}, "run"}. Raises UserError (`no_report`)."""
    view = desk.get(run)
    report = desk.report(run)
    if report is None:
        raise UserError("no_report", name=view.name)
    verdict = report["verdict"]
    code, values = verdict["code"], verdict["values"]
    detail = f"{code}_detail"
    return {
        "report": report,
        "verdict": {
            "text": say(code, language, **values),
            "detail": say(detail, language, **values) if has(detail) else "",
            "tone": code.rpartition(".")[2],
        },
        "run": describe(desk, view, language),
    }
