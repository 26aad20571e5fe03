"""Find and replace: the text as it stands, or a pattern whose work is bounded in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.data.steps.base import TextStep, steps
from studio.errors import UserError
from studio.options import option

PATIENCE = 0.5
"""Seconds that a pattern may work on one cell."""
_LONGEST = 1_000


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    find: str = option("")
    instead: str = option("")
    pattern: bool = option(False)
    any_case: bool = option(False)


class Replace(TextStep):
    key = "replace"
    order = 40
    Options = Options

    def prepare(self, options: Any) -> Any:
        import regex

        if not options.find:
            raise UserError("step_find_empty")
        if len(options.find) > _LONGEST:
            raise UserError("step_pattern_bad", pattern=options.find[:60], reason=f"> {_LONGEST}")
        flags = regex.IGNORECASE if options.any_case else 0
        try:
            compiled = regex.compile(options.find if options.pattern else regex.escape(options.find), flags)
            # A replacement may name groups that the pattern does not have; that shows only when it is used.
            instead = options.instead if options.pattern else options.instead.replace("\\", "\\\\")
            regex.compile(rf"(?:{compiled.pattern})|", flags).sub(instead, "")
        except (regex.error, IndexError, KeyError) as error:
            raise UserError("step_pattern_bad", pattern=options.find[:60], reason=str(error)) from None
        return compiled, instead

    def edit(self, text: str, options: Any, found: Any) -> str:
        compiled, instead = found
        try:
            return str(compiled.sub(instead, text, timeout=PATIENCE))
        except TimeoutError:
            raise UserError("step_pattern_slow", pattern=options.find[:60], text=text[:60]) from None


steps.register(Replace())
