"""The routes for labels that look wrong: which rows, and that a row's label is right as it is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from studio.data.process import Progress
from studio.data.store import DataVersion, find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.evaluation import doubting
from studio.evaluation.report import PREDICTIONS
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.view import RunView
from studio.tasks.base import tasks
from studio.web.asking import language
from studio.web.workshop import streamed, use_in
from studio.words import say

Sent = Annotated[dict[str, Any], Body()]


def routes(router: APIRouter, desk: Desk) -> None:
    """/api/data/{version}/doubts and .../doubts/reject"""
    workspace = desk.workspace

    @router.post("/data/{version}/doubts")
    def doubts(request: Request, version: str, body: Sent) -> StreamingResponse:
        lang, found, use = language(request), find_version(workspace, version), use_in(body)
        run = run_for(desk, found, use)

        def work(emit: Progress) -> dict[str, Any]:
            told = doubting.suggestions(workspace, found, use, desk.folder(run.id) if run else None, emit)
            values = {"n": len(told["doubts"]), "looked": told["looked"], "quality": told["quality"]}
            line = say("web.doubts.found", lang, **values, analyser_code=f"web.doubts.{told['analyser']}")
            if told["looked"] < told["rows"]:
                line += " " + say("web.doubts.sampled", lang, rows=told["rows"])
            return {"doubts": told["doubts"], "line": line, "title": _how(run, lang)}

        return streamed(work, lang)

    @router.post("/data/{version}/doubts/reject")
    def reject(version: str, body: Sent) -> dict[str, bool]:
        found, use, row = find_version(workspace, version), use_in(body), body.get("row")
        if type(row) is not int or not 1 <= row <= found.rows:
            raise UserError("request_unreadable")
        doubting.turn_down(found, use, row)
        return {"ok": True}


def run_for(desk: Desk, version: DataVersion, use: Use) -> RunView | None:
    """The newest finished run on this version with these columns that has answered its test rows."""
    for view in desk.list():
        same = view.data == version.version and view.task == use.task and view.state == states.DONE
        if same and desk.spec(view.id).columns == use.columns and (desk.folder(view.id) / PREDICTIONS).is_file():
            return view
    return None


def shown_doubts(desk: Desk, version: DataVersion, use: Use, lang: str) -> dict[str, Any] | None:
    """{"able", "run": id or "", "title": how it is judged}; None for data whose rows have no single label."""
    if not use.task or not doubting.fits(tasks.get(use.task)) or not use.columns:
        return None
    run = run_for(desk, version, use)
    return {"able": True, "run": run.id if run else "", "title": _how(run, lang)}


def _how(run: RunView | None, lang: str) -> str:
    """How the labels are judged, for people."""
    more = say("web.doubts.with_run", lang, name=run.name or run.id) if run else say("web.doubts.without_run", lang)
    return f"{say('web.doubts.how', lang)} {more}"
