"""Unicode forms: one character, one code; full-width and ligature forms plain where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import TextStep, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    form: str = option("NFC", choices=("NFC", "NFKC"))


class Unicode(TextStep):
    key = "unicode"
    order = 12
    Options = Options

    def edited(self, cells: pl.Series, options: Any, found: Any) -> pl.Series:
        return cells.str.normalize(options.form)


steps.register(Unicode())
