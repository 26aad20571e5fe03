"""Parts of a text with a type each: named entities."""

from __future__ import annotations

from studio.kinds.base import Kind, kinds


class Tags(Kind):
    """Entities as characters of the text, each with a type and a probability."""

    key = "tags"
    models = ("encoder",)
    methods = ("full", "lora")
    places_head = False


kinds.register(Tags())
