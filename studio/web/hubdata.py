"""The routes for data sets of the hub: what one has, and its rows brought in with progress; leaving stops it. A token
given for it is an argument of that one request and is kept nowhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from studio.data import fromhub
from studio.errors import UserError
from studio.runs.desk import Desk
from studio.web.asking import language, person
from studio.web.fetching import checked_token
from studio.web.tabs.bounds import bounded
from studio.web.workshop import Tell, streamed

Sent = Annotated[dict[str, Any], Body()]
LONGEST = 300
"""Characters of what is typed."""


def routes(router: APIRouter, desk: Desk) -> None:
    """POST /data/hub/look {"name", "token"} and /data/hub/bring {"name", "config", "split", "token"}."""
    workspace = desk.workspace

    @router.post("/data/hub/look")
    def look(body: Sent) -> dict[str, Any]:
        name, token = _asked(body)
        return {"name": name, **fromhub.look(workspace, name, token)}

    @router.post("/data/hub/bring")
    def bring(request: Request, body: Sent) -> StreamingResponse:
        who, (name, token) = person(request).id, _asked(body)
        part = (bounded(str(body.get("config") or ""), LONGEST), bounded(str(body.get("split") or ""), LONGEST))

        def work(emit: Tell) -> dict[str, Any]:
            def heard(stage: str, done: int, total: int) -> None:
                emit(done, total, f"web.data.hub_{stage}")

            return {"data": fromhub.bring(workspace, who, name, part, token, heard).version}

        return streamed(work, language(request))


def _asked(body: dict[str, Any]) -> tuple[str, str]:
    """(id, token). Raises UserError (`request_unreadable`, `text_long`, `set_id`, `token_unreadable`)."""
    name, token = body.get("name"), body.get("token") or ""
    if not isinstance(name, str) or not isinstance(token, str):
        raise UserError("request_unreadable")
    return fromhub.checked(bounded(name, LONGEST)), checked_token(token)
