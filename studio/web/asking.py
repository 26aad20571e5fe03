"""Who asks, in which language, and how a request that fails is answered."""

from __future__ import annotations

import logging

from fastapi import Request
from fastapi.responses import JSONResponse

from studio.errors import UserError
from studio.runs.people import Person
from studio.words import LANGUAGES

log = logging.getLogger(__name__)


def language(request: Request) -> str:
    """The page's language."""
    asked = request.query_params.get("lang", "en")
    return asked if asked in LANGUAGES else "en"


def person(request: Request) -> Person:
    """Who asks; the gate put them there."""
    found: Person = request.scope["state"]["person"]
    return found


async def user_error(request: Request, error: Exception) -> JSONResponse:
    """Answer of a route that raised UserError."""
    assert isinstance(error, UserError)
    lang = language(request)
    missing = error.code in ("run_unknown", "bad_id", "data_unknown")
    return JSONResponse({"text": error.text(lang), "parts": error.parts(lang)}, 404 if missing else 400)


async def bug(request: Request, error: Exception) -> JSONResponse:
    """Answer of a route that failed in a way nobody foresaw: logged whole, told without its innards."""
    log.error("a route failed", exc_info=error)
    told = UserError("bug")
    lang = language(request)
    return JSONResponse({"text": told.text(lang), "parts": told.parts(lang)}, 500)


async def unreadable(request: Request, error: Exception) -> JSONResponse:
    """Answer to a request whose parts are not what the route takes."""
    return await user_error(request, UserError("request_unreadable"))
