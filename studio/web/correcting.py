"""The routes for correcting what one row marks: the row as it is opened, and the cells that a correction writes. They
become a step as every other edit of the grid does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from studio.data import limits, queries
from studio.data.store import DataVersion, find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.runs.desk import Desk
from studio.tasks.base import tasks
from studio.web.asking import language
from studio.web.workshop import use_in
from studio.words import say

Sent = Annotated[dict[str, Any], Body()]
MOST_CHOICES = 500
"""Labels that are offered for a row."""


def routes(router: APIRouter, desk: Desk) -> None:
    """/api/data/{version}/row and .../row/write"""
    workspace = desk.workspace

    @router.post("/data/{version}/row")
    def row(request: Request, version: str, body: Sent) -> dict[str, Any]:
        found, use, lang = find_version(workspace, version), use_in(body), language(request)
        told = queries.opened(found, use, _row(body), _cells(body))
        return {**told, "faults": [say(f"correction.{code}", lang, **values) for code, values in told["faults"]]}

    @router.post("/data/{version}/row/write")
    def write(version: str, body: Sent) -> dict[str, Any]:
        found, use = find_version(workspace, version), use_in(body)
        wish: dict[str, Any] = {name: body[name] for name in ("marks", "text") if name in body}
        return {"cells": queries.corrected(found, use, _row(body), _cells(body), wish)}


def shown_editing(version: DataVersion, use: Use) -> dict[str, Any] | None:
    """How the grid corrects rows of this use: {"kind": "label", "column", "choices"}, or {"kind": "parts" or "answer",
    "text", "columns": those it writes}; None where cells are plain."""
    if not use.task:
        return None
    task = tasks.get(use.task)
    if not all(use.columns.get(role.key) in version.columns for role in task.roles if role.required):
        return None
    if task.result == "labels":
        label = use.columns[task.roles[-1].key]
        counts = queries.label_counts(version, label, MOST_CHOICES)
        return {"kind": "label", "column": label, "choices": sorted(name for name, _ in counts)}
    if task.result == "tags":
        text, parts = (use.columns[role.key] for role in task.roles[:2])
        return {"kind": "parts", "text": text, "columns": [parts]}
    if task.result == "spans":
        written = [use.columns[role] for role in ("answers", "start", "impossible") if use.columns.get(role)]
        return {"kind": "answer", "text": use.columns["context"], "columns": written}
    return None


def _row(body: dict[str, Any]) -> int:
    """The row (from 0) that was meant. Raises UserError (`request_unreadable`)."""
    row = body.get("row")
    if type(row) is not int or not 1 <= row <= limits.ROWS:
        raise UserError("request_unreadable")
    return row - 1


def _cells(body: dict[str, Any]) -> dict[str, str]:
    """Corrections of the row that are not saved yet, by column. Raises UserError (`request_unreadable`)."""
    cells = body.get("cells") or {}
    if not isinstance(cells, dict) or not all(isinstance(cell, str) for cell in cells.values()):
        raise UserError("request_unreadable")
    return dict(cells)
