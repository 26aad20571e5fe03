"""Characters nobody sees: control codes, zero-width spaces, direction marks, soft hyphens, and the mark � left by a
wrong decoding. Joiners stay: emoji, Persian and Indic scripts are written with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data.steps.base import TextStep, steps

if TYPE_CHECKING:
    import polars as pl

UNSEEN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u{ad}\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{feff}\u{fffd}]"  # noqa: E501
"""In the syntax of Rust's regular expressions, which Polars uses: they take linear time."""


class Control(TextStep):
    key = "control"
    order = 16

    def edited(self, cells: pl.Series, options: Any, found: Any) -> pl.Series:
        return cells.str.replace_all(UNSEEN, "")


steps.register(Control())
