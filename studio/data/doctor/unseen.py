"""Invisible characters in texts, and the mark of characters that were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.data.doctor.base import CellFinding, findings
from studio.data.steps.control import UNSEEN

if TYPE_CHECKING:
    import polars as pl


class HasUnseen(CellFinding):
    key = "text_control"
    order = 62
    covers = ("data_damaged_characters",)
    step = "control"

    def hits(self, cells: pl.Series) -> pl.Series:
        return cells.str.contains(UNSEEN)


findings.register(HasUnseen)
