"""HTML tags and entities in texts."""

from __future__ import annotations

from studio.data.doctor.base import CellFinding, findings
from studio.data.steps.markup import strip


class HasMarkup(CellFinding):
    key = "text_markup"
    order = 60
    step = "markup"

    def hit(self, text: str) -> bool:
        return ("<" in text or "&" in text) and strip(text) != text


findings.register(HasMarkup)
