"""A run's report in words of one language, with its still figures."""

from __future__ import annotations

from typing import Any

from studio.errors import UserError
from studio.evaluation.figures import Colours, classes
from studio.evaluation.paired import compared
from studio.runs.desk import Desk
from studio.runs.techniques import Technique, finished, twins, used_by
from studio.runs.view import RunView
from studio.web.describe import describe
from studio.words import has, say

LIGHT = Colours("#1B2430", "#5B6675", "#ECECE5", "#0B6E69", "#B45309", "#B42318")
DARK = Colours("#E6EAF0", "#94A3B8", "#222B37", "#5EC9BE", "#F0B35A", "#F58A7F")


def shown_report(desk: Desk, run: str, language: str, dark: bool = False) -> dict[str, Any]:
    """{"report", "verdict": {"text", "detail", "tone"}, "notes", "figures", "techniques", "run"}.

    Raises UserError (`no_report`)."""
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
        "techniques": [_technique(desk, view, one, language) for one in used_by(desk.spec(run))],
        "run": describe(desk, view, language),
    }


def _technique(desk: Desk, view: RunView, one: Technique, language: str) -> dict[str, Any]:
    """{"key", "title", "help", "run", "text", "tone"}: `run` is the one without it where there is one, `text` how they
    compare, "" while that is not known."""
    told = {"key": one.key, "title": say(f"technique.{one.key}", language), "run": "", "text": "", "tone": ""}
    told["help"] = say(f"technique.{one.key}_help", language)
    found = list(twins(desk, view, desk.spec(view.id), one.key))
    done = next((twin for twin in found if finished(desk, twin)), None)
    if done is None:
        return {**told, "run": next((twin.id for twin in found if twin.active), "")}
    pair = compared(desk.folder(view.id), desk.folder(done.id))
    told["run"] = done.id
    if pair is None:
        return {**told, "text": say("technique.differ", language)}
    about = {"ours": f"{pair['ours']:.3f}", "theirs": f"{pair['theirs']:.3f}", "rows": pair["rows"]}
    if pair["low"] is None:
        return {**told, "text": say("technique.plain", language, **about)}
    about |= {name: f"{100 * pair[key]:+.1f}" for name, key in (("points", "value"), ("low", "low"), ("high", "high"))}
    tone = "better" if pair["low"] > 0 else "worse" if pair["high"] < 0 else "unclear"
    text = f"{say('technique.ahead', language, **about)} {say(f'technique.{tone}', language)}"
    return {**told, "text": text, "tone": tone}


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
