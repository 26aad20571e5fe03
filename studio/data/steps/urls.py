"""Web addresses go, or one word stands for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.data.steps.base import TextStep, steps
from studio.options import option

if TYPE_CHECKING:
    import polars as pl

# An address ends at a space, a quote, an angle bracket, or a letter that addresses do not have, such as a Chinese one.
_URL = r"(?i)(?:https?://|www\.)[a-z0-9_\-.~:/?#\[\]@!$&'()*+,;=%]+[a-z0-9_/=#&]"


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    instead: str = option("")


class Urls(TextStep):
    key = "urls"
    order = 32
    Options = Options

    def edited(self, cells: pl.Series, options: Any, found: Any) -> pl.Series:
        import polars as pl

        gone = cells.str.replace_all(_URL, options.instead.replace("$", "$$"))
        if options.instead:
            return gone
        tidy = gone.str.replace_all(r" {2,}", " ").str.strip_chars()
        # Where no address stood, spaces are none of this step's business.
        changed = (gone != cells).fill_null(False)
        return pl.Series(cells.name, tidy.zip_with(changed, cells), pl.String)


steps.register(Urls())
