"""Texts decoded with the wrong table."""

from __future__ import annotations

from studio.data.doctor.base import CellFinding, findings
from studio.data.steps.mojibake import repaired


class Garbled(CellFinding):
    key = "text_mojibake"
    order = 58
    step = "mojibake"

    def hit(self, text: str) -> bool:
        return repaired(text) != text


findings.register(Garbled)
