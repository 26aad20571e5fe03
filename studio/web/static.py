"""The page's own files: scripts, the style sheet, the words, and the plotly.js of the installed plotly."""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.assets import assets
from studio.web.island import scripts as scripts_of_page
from studio.words import LANGUAGES, catalogue

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="13" fill="#0B6E69"/>'
    '<path d="M8 12l6 8 4-4 6 5" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>'
)
SPOKEN = ("web.", "state.", "phase.", "metric.", "ladder.", "coach.action.")
"""What the page's scripts say themselves; every other sentence reaches them already spoken."""


@cache
def _plotly() -> tuple[bytes, bytes, str]:
    """plotly.js as it is and gzipped, and its tag. Read without importing plotly, which the web process needs only
    for still figures."""
    spec = find_spec("plotly")
    raw = (Path(str(spec and spec.origin)).parent / "package_data" / "plotly.min.js").read_bytes()
    return raw, gzip.compress(raw, 6), hashlib.sha256(raw).hexdigest()[:16]


@cache
def words_script(language: str) -> str:
    """The catalogue's sentences for the page as a script that sets `window.STUDIO`."""
    spoken = {code: entry[language] for code, entry in catalogue().items() if code.startswith(SPOKEN)}
    told = json.dumps({"lang": language, "words": spoken}, ensure_ascii=False).replace("<", "\\u003c")
    return f"window.STUDIO = {told};"


def routes() -> APIRouter:
    """GET /static/ for a fixed list of names."""
    router = APIRouter()

    @router.get("/static/plotly.js")
    def plotly(request: Request) -> Response:
        raw, packed, tag = _plotly()
        headers = {"etag": f'"{tag}"', "cache-control": "public, max-age=86400", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == f'"{tag}"':
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type="text/javascript", headers={**headers, "content-encoding": "gzip"})
        return Response(raw, media_type="text/javascript", headers=headers)

    @router.get("/favicon.ico")
    def favicon() -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"cache-control": "max-age=86400"})

    @router.get("/static/studio.js")
    def scripts(lang: str = "en") -> Response:
        parts = [words_script(lang if lang in LANGUAGES else "en")]
        parts += [file.read_text(encoding="utf-8") for file in scripts_of_page()]
        return Response("\n".join(parts), media_type="text/javascript", headers={"cache-control": "no-cache"})

    @router.get("/static/studio.css")
    def style() -> Response:
        content = (assets() / "web" / "studio.css").read_bytes()
        return Response(content, media_type="text/css", headers={"cache-control": "no-cache"})

    return router
