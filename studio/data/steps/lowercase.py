"""Lower case, for models that do not tell letter cases apart anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.steps.base import TextStep, steps

if TYPE_CHECKING:
    import polars as pl


class Lowercase(TextStep):
    key = "lowercase"
    order = 30

    def edited(self, cells: pl.Series, options: Any, found: Any) -> pl.Series:
        return cells.str.to_lowercase()


steps.register(Lowercase())
