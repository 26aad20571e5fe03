"""The download of a model: packed and tried first, told line by line, then fetched once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.web.asking import language
from studio.words import say
from studio.workspace import checked_id, new_id

log = logging.getLogger(__name__)


def routes(router: APIRouter, desk: Desk, inference: InferenceClient) -> None:
    """POST .../package answers lines of JSON: {"told"} while it works, then {"package"} or {"text", "parts"};
    ?which= is "tuned", "simple", or "" for the tuned model where there is one.

    GET .../download?package= gives the file once; it is then removed.
    """

    @router.post("/runs/{run}/package")
    def package(request: Request, run: str, which: str = "") -> StreamingResponse:
        lang = language(request)
        made = new_id("package")
        work = inference.package(desk.folder(run), _place(desk, run, made), lang, which)
        lines = _packing(work, made, lang)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @router.get("/runs/{run}/download")
    def download(run: str, package: str = "") -> FileResponse:
        view = desk.get(run)
        path = _place(desk, view.id, checked_id(package))
        if not path.is_file():
            raise UserError("package_gone", name=view.name)
        name = "".join(letter if letter.isalnum() else "-" for letter in view.name).strip("-")[:60] or "model"
        return FileResponse(
            path, media_type="application/zip", filename=f"{name}.zip", background=BackgroundTask(path.unlink)
        )


def _place(desk: Desk, run: str, made: str) -> Path:
    """Where the zip of one asking lies; its name holds the run, so that it is fetched as that run's only."""
    return desk.workspace.temporary / f"{run}.{made}.zip"


def _packing(work: Iterator[str], made: str, lang: str) -> Iterator[str]:
    def line(values: dict[str, Any]) -> str:
        return json.dumps(values, ensure_ascii=False) + "\n"

    told = ""
    try:
        for phase in work:
            if phase != told:
                told = phase
                yield line({"told": say(f"package.phase.{phase}", lang)})
        yield line({"package": made})
    except UserError as error:
        yield line({"text": error.text(lang), "parts": error.parts(lang)})
    except Exception:
        log.exception("packing failed")
        bug = UserError("bug")
        yield line({"text": bug.text(lang), "parts": bug.parts(lang)})
