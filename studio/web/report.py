"""A run's report in words of one language, with its still figures."""

from __future__ import annotations

from typing import Any

from studio.errors import UserError
from studio.evaluation.figures import Colours, classes
from studio.runs.desk import Desk
from studio.web.describe import describe
from studio.words import has, say

LIGHT = Colours("#1B2430", "#5B6675", "#ECECE5", "#0B6E69", "#B45309", "#B42318")
DARK = Colours("#E6EAF0", "#94A3B8", "#222B37", "#5EC9BE", "#F0B35A", "#F58A7F")


def shown_report(desk: Desk, run: str, language: str, dark: bool = False) -> dict[str, Any]:
    """{"report", "verdict": {"text", "detail", "tone"}, "notes", "figures", "run"}. Raises UserError (`no_report`)."""
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
            "detail": " ".join(
                [*([say(detail, language, **values)] if has(detail) else []), *_untuned(report, language)]
            ),
            "tone": verdict["kind"],
        },
        "notes": [say(note["code"], language, **note["values"]) for note in report.get("notes", [])],
        "figures": [classes(report, DARK if dark else LIGHT, language)] if report.get("classes") else [],
        "run": describe(desk, view, language),
    }


def _untuned(report: dict[str, Any], language: str) -> list[str]:
    """A sentence where the model before tuning beats every simple one: then the verdict's lead is not all tuning's."""
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    key = next((key for key in ("untuned", "cosine") if key in scores), "")
    if report["model"] != "tuned" or report["lower_is_better"] or not {key, report["simple"]} <= set(scores):
        return []
    untuned, gain = scores[key], scores["tuned"] - scores[key]
    if untuned <= scores[report["simple"]]:
        return []
    code = f"report.{key}_ahead" if gain > 0 else f"report.{key}_enough"
    return [say(code, language, score=untuned, points=100 * abs(gain))]
