"""Bounds of what a page may send: every handler can be called by hand, past the limits that its widgets have."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import UserError

TEXT = 20_000
"""Characters of one text, and of one message of a chat."""
LINES = 8_000
"""Of label descriptions, or of an instruction."""
RULES = 40_000
TALK = 400_000
"""Of a whole conversation."""


def bounded(text: str | None, most: int) -> str:
    """`text`, which may be missing. Raises UserError (`text_long`)."""
    found = str(text or "")
    if len(found) > most:
        raise UserError("text_long", count=len(found), most=most)
    return found


def sent(event: gr.EventData) -> dict[str, Any]:
    """What an island handed over with its event; nothing where that is no object."""
    return event._data if isinstance(event._data, dict) else {}
