"""A new column written from others by a template such as "{title}: {body}"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.rows import tidy_name
from studio.data.steps.base import Layout, Step, steps
from studio.errors import UserError
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

_BLANK = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Options:
    template: str = option("")
    name: str = option("text_joined")


class JoinColumns(Step):
    key = "join_columns"
    order = 80
    family = "columns"
    Options = Options

    def check(self, options: Any, layout: Layout) -> None:
        names = _BLANK.findall(options.template)
        if not names:
            raise UserError("step_template_empty", known=list(layout.columns)[:30])
        for name in names:
            layout.known(name)
        if options.name in layout.columns or tidy_name(options.name) != options.name or not options.name:
            raise UserError("step_name_taken", name=options.name[:80], known=list(layout.columns)[:30])

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        import polars as pl

        parts = _BLANK.split(options.template)
        # Every second part is a column's name: what split returns between the texts around it.
        pieces = [pl.col(part).fill_null("") if turn % 2 else pl.lit(part) for turn, part in enumerate(parts)]
        names = [part for turn, part in enumerate(parts) if turn % 2]
        nothing = pl.all_horizontal([pl.col(name).is_null() for name in names])
        joined = pl.when(nothing).then(None).otherwise(pl.concat_str(pieces))
        return frame.with_columns(joined.alias(options.name))


steps.register(JoinColumns())
