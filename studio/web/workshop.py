"""The data workshop's routes: what the doctor says, steps previewed, done and taken back, versions and their files.

What works for a while answers lines of JSON as `packing` does: {"told"} meanwhile, then the answer or {"text",
"parts"}. Leaving early ends the work.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from studio.data import versions
from studio.data.exporting import FORMS, export
from studio.data.findings import diagnosis, examine
from studio.data.mending import Chosen
from studio.data.process import Progress
from studio.data.steps.base import steps
from studio.data.store import find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.runs.desk import Desk
from studio.spec import Split
from studio.tasks.base import tasks
from studio.web.about import shown_about
from studio.web.asking import language, person
from studio.web.stepview import declared_step, shown_finding, shown_steps, shown_version, told_line
from studio.words import say
from studio.workspace import Workspace

log = logging.getLogger(__name__)
Tell = Callable[..., None]
"""`emit(done, total, code)`: how far work is, in the words of `code`."""
Sent = Annotated[dict[str, Any], Body()]
AT_ONCE = 2
"""Jobs on data that work at the same time; further ones wait."""
_MOST = 20
"""Steps of one asking."""
_turns = threading.BoundedSemaphore(AT_ONCE)


class _Left(Exception):
    """Whoever asked has gone."""


def routes(router: APIRouter, desk: Desk) -> None:
    """/api/steps and /api/data/{version}/..."""
    workspace = desk.workspace

    @router.get("/steps")
    def declared(request: Request) -> dict[str, Any]:
        return {"steps": [declared_step(step.key, language(request)) for step in steps if step.listed]}

    @router.post("/data/{version}/doctor")
    def doctor(request: Request, version: str, body: Sent) -> StreamingResponse:
        lang, found, use = language(request), find_version(workspace, version), use_in(body)

        def work(emit: Progress) -> dict[str, Any]:
            told = diagnosis(found, use, examine(workspace, found, use, emit))
            return {"findings": [shown_finding(one, lang) for one in told], "about": shown_about(found, use, lang)}

        return streamed(work, lang)

    @router.post("/data/{version}/preview")
    def preview(request: Request, version: str, body: Sent) -> StreamingResponse:
        found, (chosen, *_) = find_version(workspace, version), steps_in(body)
        lang = language(request)

        def work(emit: Progress) -> dict[str, Any]:
            told = versions.preview(workspace, found, chosen, emit)
            return {"preview": {**told, "line": told_line(told, lang, found.rows)}}

        return streamed(work, lang)

    @router.post("/data/{version}/mend")
    def mend(request: Request, version: str, body: Sent) -> StreamingResponse:
        found, chosen, who = find_version(workspace, version), steps_in(body), person(request).id
        lang, use = language(request), use_in(body) if body.get("task") else None

        def work(emit: Progress) -> dict[str, Any]:
            made = versions.mend(workspace, who, found, chosen, use, emit)
            return {"data": made.version, "line": told_line(dict(made.steps[-1]), lang, found.rows)}

        return streamed(work, lang)

    @router.post("/data/{version}/undo")
    def undo(request: Request, version: str, body: Sent) -> StreamingResponse:
        found, who, turn = find_version(workspace, version), person(request).id, body.get("step")
        if turn is not None and not (type(turn) is int and 0 <= turn < len(found.steps)):
            raise UserError("request_unreadable")

        def work(emit: Progress) -> dict[str, Any]:
            return {"data": versions.undo(workspace, who, found, turn, emit).version}

        return streamed(work, language(request))

    _versions(router, desk, workspace)


def _versions(router: APIRouter, desk: Desk, workspace: Workspace) -> None:
    @router.get("/data/{version}/versions")
    def listed(request: Request, version: str) -> dict[str, Any]:
        lang, found = language(request), find_version(workspace, version)
        whole = versions.family(workspace, found)
        return {
            "steps": shown_steps(found, lang),
            "versions": [shown_version(desk, one, found, lang) for one in whole],
        }

    @router.post("/data/{version}/compare")
    def compare(request: Request, version: str, body: Sent) -> StreamingResponse:
        after, before = find_version(workspace, version), find_version(workspace, str(body.get("with", "")))
        lang = language(request)

        def work(emit: Progress) -> dict[str, Any]:
            told = versions.compare(workspace, before, after)
            return {"compared": {**told, "line": say("web.data.compared", lang, **told)}}

        return streamed(work, lang)

    @router.post("/data/{version}/delete")
    def delete(version: str, body: Sent) -> dict[str, str]:
        found = find_version(workspace, version)
        versions.delete(workspace, found, desk.store.runs_of_data(found.version))
        return {"owner": found.owner, "data": found.parent or ""}

    @router.post("/data/{version}/restore")
    def restore(version: str, body: Sent) -> dict[str, str]:
        return {"data": versions.restore(workspace, str(body.get("owner", "")), version).version}

    @router.get("/data/{version}/export")
    def exported(version: str, form: str = "csv") -> StreamingResponse:
        found = find_version(workspace, version)
        if form not in FORMS:
            raise UserError("unknown_key", kind="export", key=form[:20], near="-", known=list(FORMS))
        name = "".join(letter if letter.isalnum() else "-" for letter in found.name.rpartition(".")[0] or found.name)
        kinds = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
        # The plain name is for old programs, the other one holds letters of every script.
        plain = name.encode("ascii", "ignore").decode().strip("-")[:60] or "data"
        told = f"attachment; filename=\"{plain}.{form}\"; filename*=UTF-8''{quote(name[:60], safe='')}.{form}"
        return StreamingResponse(
            export(found, form),
            media_type=kinds.get(form, "application/octet-stream"),
            headers={"content-disposition": told},
        )


def use_in(body: dict[str, Any]) -> Use:
    """How the data is used, as the page sent it. Raises UserError (`unknown_key`, `request_unreadable`)."""
    task, columns, split = body.get("task"), body.get("columns"), body.get("split") or {}
    if not isinstance(task, str) or not isinstance(columns, dict) or not isinstance(split, dict):
        raise UserError("request_unreadable")
    roles = {role.key for role in tasks.get(task).columns}
    chosen = {role: column for role, column in columns.items() if role in roles and isinstance(column, str)}
    try:
        parts = Split.sent(split)
        if not all(0 <= part < 1 for part in (parts.validation, parts.test)):
            raise ValueError(parts)
        return Use(task, chosen, parts)
    except (TypeError, ValueError, OverflowError):
        raise UserError("request_unreadable") from None


def steps_in(body: dict[str, Any]) -> list[Chosen]:
    """The steps of a request. Raises UserError (`request_unreadable` and what a step raises)."""
    raw = body.get("steps")
    if not isinstance(raw, list) or not 1 <= len(raw) <= _MOST:
        raise UserError("request_unreadable")
    return [Chosen.from_json(step) for step in raw]


def streamed(work: Callable[[Tell], dict[str, Any]], lang: str) -> StreamingResponse:
    """What `work` tells meanwhile and its answer, as lines of JSON."""
    return StreamingResponse(_lines(work, lang), media_type="application/x-ndjson")


def _lines(work: Callable[[Tell], dict[str, Any]], lang: str) -> Iterator[str]:
    """What `work` tells while another thread does it, then its answer. Left early, the work is ended: the next time it
    tells its progress it hears so."""
    said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    left = threading.Event()

    def emit(done: int, total: int, code: str = "web.data.working_at") -> None:
        if left.is_set():
            raise _Left
        values = {"percent": round(100 * done / max(1, total)), "done": done // 10**6, "total": -(-total // 10**6)}
        said.put({"told": say(code, lang, **values)})

    def working() -> None:
        try:
            with _turns:
                said.put(work(emit))
        except _Left:
            pass
        except UserError as error:
            said.put({"text": error.text(lang), "parts": error.parts(lang)})
        except Exception:
            log.exception("work on data failed")
            bug = UserError("bug")
            said.put({"text": bug.text(lang), "parts": bug.parts(lang)})
        finally:
            said.put(None)

    threading.Thread(target=working, daemon=True, name="workshop").start()
    try:
        while (told := said.get()) is not None:
            yield json.dumps(told, ensure_ascii=False) + "\n"
    finally:
        left.set()
