"""White space: runs of it become one space, the ends go; line breaks stay where they are wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from studio.data.steps.base import TextStep, steps
from studio.options import option

_BLANK = re.compile(r"[^\S\n]+")
_AROUND = re.compile(r" ?\n ?")
_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    keep_lines: bool = option(True)


class Whitespace(TextStep):
    key = "whitespace"
    order = 20
    Options = Options

    def edit(self, text: str, options: Any, found: Any) -> str:
        if not options.keep_lines:
            return " ".join(text.split())
        lines = _AROUND.sub("\n", _BLANK.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")))
        return _LINES.sub("\n\n", lines).strip()


steps.register(Whitespace())
