"""How the command line speaks: results on stdout, everything else on stderr, one JSON document when asked."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from studio.errors import UserError
from studio.runs.view import RunView
from studio.words import has, say

_EVERY = 2.0
"""Least seconds between two progress lines where lines cannot be overwritten."""


def language() -> str:
    """The language of the terminal, from the variables every terminal has."""
    for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.startswith("zh") else "en"
    return "en"


@dataclass
class Terminal:
    """Where a command writes. `json` asks for one JSON document on stdout and nothing else there."""

    home: Path | None = None
    json: bool = False
    language: str = field(default_factory=language)
    _last: float = 0.0
    _open: bool = False

    def say(self, code: str, /, **values: Any) -> str:
        """The catalogue's sentence in the terminal's language."""
        return say(code, self.language, **values)

    def result(self, document: dict[str, Any], lines: Sequence[str]) -> None:
        """The command's result: `document` as JSON, else `lines` for people."""
        self._end_line()
        if self.json:
            typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            for line in lines:
                typer.echo(line)

    def line(self, text: str) -> None:
        """A line of the result for people, as soon as it is known; nothing where one document is asked for."""
        if not self.json:
            typer.echo(text)

    def aside(self, text: str) -> None:
        """A line on stderr."""
        self._end_line()
        typer.echo(text, err=True)

    def progress(self, text: str) -> None:
        """A passing line on stderr: overwritten on a terminal, rare elsewhere."""
        if sys.stderr.isatty():
            typer.echo(f"\r\x1b[2K{text[:110]}", err=True, nl=False)
            self._open = True
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            typer.echo(text, err=True)

    def _end_line(self) -> None:
        if self._open:
            typer.echo("", err=True)
            self._open = False

    def trouble(self, error: UserError) -> None:
        """An error for people: one line on stderr, and with --json as the document too."""
        if self.json:
            shown = {"code": error.code, "values": error.values, "text": error.text(self.language)}
            self.result({"error": shown}, [])
        self.aside(" ".join(error.text(self.language).split()))

    def why(self, view: RunView) -> str:
        """Why a run ended as it did; empty for a run without trouble."""
        if not view.error:
            return ""
        code = f"error.{view.error}"
        return self.say(code, **view.error_values) if has(code) else view.error


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as aligned lines; wide characters take two places."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(2 if "ᄀ" <= letter <= "￦" else 1 for letter in text)
