"""Entities: the text with its parts marked; what is drawn stands in the kind's script."""

from __future__ import annotations

from studio.web.kinds.base import Face, faces


class TagFace(Face):
    """Parts of a text."""

    key = "tags"


faces.register(TagFace())
