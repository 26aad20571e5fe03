"""Keeps the rows in one language; texts too short to tell, and rows without text, stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.languages import LANGUAGES, language_of
from studio.data.steps.base import Layout, Step, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Options:
    column: str = option("", of="column")
    spoken: str = option("en", choices=LANGUAGES)


class KeepLanguage(Step):
    key = "keep_language"
    order = 64
    family = "rows"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        layout.text(options.column)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        column = layout.text(options.column)
        cells = frame.get_column(column).to_list()
        return frame.filter(
            pl.Series([language_of(text or "") in ("", options.spoken) for text in cells], dtype=pl.Boolean)
        )


steps.register(KeepLanguage())
