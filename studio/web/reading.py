"""The routes for how a model reads the data: lengths in its tokens with the place where a run cuts, and one text as it
is cut into tokens."""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from studio.data.profile import histogram
from studio.data.store import DataVersion, find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.models.card import Card
from studio.models.catalogue import fits, list_models, resolve
from studio.models.pieces import MOST_CHARACTERS, cut
from studio.models.scratch import is_scratch
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.runs.reading import lengths_of, suggest_model, texts_of
from studio.tasks.base import tasks
from studio.web.asking import language
from studio.web.workshop import use_in
from studio.words import say
from studio.workspace import Workspace

Sent = Annotated[dict[str, Any], Body()]


def routes(router: APIRouter, desk: Desk) -> None:
    """/api/data/{version}/tokens and /api/pieces"""
    workspace = desk.workspace

    @router.post("/data/{version}/tokens")
    def tokens(request: Request, version: str, body: Sent) -> dict[str, Any]:
        found, use, lang = find_version(workspace, version), use_in(body), language(request)
        models = readers(workspace, use)
        if not models:
            return {"models": [], "line": say("web.tokens.none", lang)}
        ids = [card.id for card in models]
        model = str(body.get("model") or "")
        if model not in ids:
            suggested = suggest_model(workspace, found, use)
            model = suggested if suggested in ids else ids[0]
        titles = [[card.id, card.title] for card in models]
        return {"models": titles, "model": model, **lengths(workspace, found, use, model, lang)}

    @router.post("/pieces")
    def pieces(request: Request, body: Sent) -> dict[str, Any]:
        model, text, lang = body.get("model"), body.get("text"), language(request)
        if not isinstance(model, str) or not isinstance(text, str):
            raise UserError("request_unreadable")
        folder = resolve(workspace, model)
        if folder is None:
            raise UserError("model_not_fetched", model=model)
        found = cut(folder, text)
        own = [piece for piece in found.pieces if not piece.added]
        values = {"tokens": len(found.pieces), "unknown": sum(not piece.known for piece in own)}
        line = say("web.tokens.pieces", lang, **values)
        if len(text) > MOST_CHARACTERS:
            line += " " + say("web.tokens.start_only", lang, most=MOST_CHARACTERS)
        told = [[piece.text, piece.token, piece.added, piece.known, piece.part] for piece in found.pieces]
        return {"pieces": told, "words": list(found.words), "line": line}


def readers(workspace: Workspace, use: Use) -> list[Card]:
    """The models on this machine that could be tuned for a use."""
    task = tasks.get(use.task)
    return [card for card in list_models(workspace) if card.on_disk and not is_scratch(card.id) and fits(task, card)]


def lengths(workspace: Workspace, version: DataVersion, use: Use, model: str, lang: str) -> dict[str, Any]:
    """{"bins": [from, to, rows], "cut": tokens the suggested run reads at once, "windows": so many times a row at most,
    "line", "text": a row's}: of an even sample of the rows."""
    texts = texts_of(version, use)
    if not texts:
        return {"bins": [], "cut": 0, "windows": 1, "line": say("web.tokens.no_text", lang), "text": ""}
    counted = lengths_of(workspace, texts, model)
    drawn = histogram(counted)
    options = draft(workspace, version, use=use, model=model).spec.options
    most, windows = int(options["training"]["max_length"]), int(options["task"].get("windows", 1))
    over = sum(length > most for length in counted)
    code = "whole" if not over else "windows" if windows > 1 else "cut"
    told = {"rows": len(counted), "median": round(median(counted)), "longest": max(counted)}
    percent = max(1, round(100 * over / len(counted)))
    line = say("web.tokens.line", lang, **told)
    line += " " + say(f"web.tokens.{code}", lang, tokens=most, percent=percent, windows=windows)
    edges = drawn["edges"]
    bins = [[low, high, count] for low, high, count in zip(edges, edges[1:], drawn["counts"], strict=False)]
    return {"bins": bins, "cut": most, "windows": windows, "line": line, "text": texts[0][:MOST_CHARACTERS]}
