"""Fetching a model before a run needs it: begun by a button, followed by whoever looks at its card, stopped, gone on
with. A hub token given for it is an argument of that one download and is kept nowhere."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from studio.errors import UserError
from studio.models.catalogue import resolve
from studio.models.earlier import is_run
from studio.models.fetch import fetch
from studio.models.scratch import is_scratch
from studio.web.asking import language
from studio.web.tabs.bounds import bounded
from studio.workspace import Workspace

log = logging.getLogger(__name__)
LONGEST = 400
"""Characters of a model id."""
MOST = 3
"""Downloads at once."""


class _Stopped(Exception):
    """Raised through a download that a person stopped."""


@dataclass
class _Fetch:
    """One download: bytes so far and in all (0: not known yet), and how it ended."""

    done: int = 0
    total: int = 0
    state: str = "running"
    error: UserError | None = None
    wish: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: int, total: int) -> None:
        if self.wish.is_set():
            raise _Stopped
        if total:
            self.done, self.total = done, total


class Fetches:
    """The downloads of this server. They end with it; what has arrived waits for the next one."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._known: dict[str, _Fetch] = {}
        self._lock = threading.Lock()

    def start(self, model: str, token: str = "") -> None:
        """Begin fetching `model` unless that is under way. Raises UserError (`token_unreadable`, `fetches_many`,
        `model_id`)."""
        token = checked_token(token)
        if is_scratch(model) or is_run(model) or resolve(self.workspace, model) is not None:
            return
        with self._lock:
            running = {key for key, item in self._known.items() if item.state == "running"}
            if model in running:
                return
            if len(running) >= MOST:
                raise UserError("fetches_many", count=len(running))
            mine = self._known[model] = _Fetch()
        threading.Thread(target=self._work, args=(model, mine, token), name="fetch", daemon=True).start()

    def _work(self, model: str, mine: _Fetch, token: str) -> None:
        try:
            fetch(self.workspace, model, mine.progress, token)
            mine.state = "done"
        except _Stopped:
            mine.state = "stopped"
        except UserError as error:
            mine.error, mine.state = error, "failed"
        except Exception:
            log.exception("fetching %s failed", model)
            mine.error, mine.state = UserError("bug"), "failed"

    def stop(self, model: str) -> None:
        """Ask a download to end; what it brought is kept."""
        if found := self._known.get(model):
            found.wish.set()

    def told(self, model: str, lang: str) -> dict[str, Any]:
        """{"state": "none", "running", "done", "stopped" or "failed", "done", "total", "parts" of an error}."""
        found = self._known.get(model)
        if found is None:
            return {"state": "none"}
        parts = found.error.parts(lang) if found.error else []
        return {"state": found.state, "done": found.done, "total": found.total, "parts": parts}


def checked_token(token: str) -> str:
    """A token without blanks around it. Raises UserError (`token_unreadable`) for what no header can carry; the
    error does not repeat it."""
    found = token.strip()
    if len(found) > 200 or not found.isascii() or any(letter <= " " or letter == "\x7f" for letter in found):
        raise UserError("token_unreadable")
    return found


def routes(router: APIRouter, workspace: Workspace) -> None:
    """POST /models/fetch {"model", "token"} begins, POST /models/fetch/stop {"model"} ends, GET /models/fetch?model=
    tells."""
    fetches = Fetches(workspace)

    @router.post("/models/fetch")
    def begin(request: Request, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        model = _model(body.get("model"))
        fetches.start(model, str(body.get("token") or ""))
        return fetches.told(model, language(request))

    @router.post("/models/fetch/stop")
    def stop(body: Annotated[dict[str, Any], Body()]) -> dict[str, bool]:
        fetches.stop(_model(body.get("model")))
        return {"ok": True}

    @router.get("/models/fetch")
    def told(request: Request, model: str = "") -> dict[str, Any]:
        return fetches.told(_model(model), language(request))


def _model(sent: Any) -> str:
    """What can be fetched. Raises UserError (`model_id`, `text_long`): folders of this machine are no download."""
    model = bounded(str(sent or ""), LONGEST)
    if not model.startswith(("hub:", "starter:")):
        raise UserError("model_id", value=model[:120], starters=[])
    return model
