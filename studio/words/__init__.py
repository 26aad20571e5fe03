"""The catalogue: every sentence a person reads, in English and Chinese, by code.

One TOML file per area beside this module. An entry is a table with `en` and `zh`; each is a string, or, for
errors, a list of three strings (what happened, why, what to do). `{name}` marks a value filled in when spoken.
Code passes codes and values around, never finished sentences.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

LANGUAGES = ("en", "zh")
Entry = dict[str, "str | list[str]"]


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by dotted code. Raises ValueError when two files define the same code."""
    entries: dict[str, Entry] = {}
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        with file.open("rb") as handle:
            for code, entry in _flatten(tomllib.load(handle)):
                if code in entries:
                    raise ValueError(f"{code} is defined twice, the second time in {file.name}")
                entries[code] = entry
    return entries


def _flatten(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Entry]]:
    if set(table) == {"en", "zh"} and not isinstance(table["en"], dict):
        return [(prefix, table)]
    found: list[tuple[str, Entry]] = []
    for key, value in table.items():
        if not isinstance(value, dict):
            raise ValueError(f"{prefix}.{key} has to be a table with en and zh")
        found += _flatten(value, f"{prefix}.{key}" if prefix else key)
    return found


def has(code: str) -> bool:
    """Whether the catalogue knows `code`."""
    return code in catalogue()


def say(code: str, language: str = "en", /, **values: Any) -> str:
    """The sentence for `code` in `language` with `values` filled in. Raises KeyError for an unknown code."""
    return " ".join(say_parts(code, language, **values))


def say_parts(code: str, language: str = "en", /, **values: Any) -> list[str]:
    """The sentence or sentences for `code`, each filled in. Raises KeyError for an unknown code.

    A value called `<name>_code` is itself a code: its sentence fills `{name}`. `<name>_codes` is a list of (code,
    values): their sentences together fill `{name}`.
    """
    entry = catalogue()[code][language if language in LANGUAGES else "en"]
    texts = [entry] if isinstance(entry, str) else entry
    shown = {key: _show(value) for key, value in values.items()}
    for key, value in values.items():
        if key.endswith("_code") and has(value):
            shown[key.removesuffix("_code")] = say(value, language)
        if key.endswith("_codes"):
            shown[key.removesuffix("_codes")] = " ".join(say(part, language, **filled) for part, filled in value)
    return [_FORMS.vformat(text, (), shown) for text in texts]


class _Forms(Formatter):
    """Fills a sentence in; a number that has outgrown its digits is written whole, not as a power of ten."""

    def format_field(self, value: Any, spec: str) -> Any:
        if spec.endswith("g") and isinstance(value, int | float) and "e+" in format(value, spec):
            return f"{value:,.0f}"
        return super().format_field(value, spec)


_FORMS = _Forms()


def _show(value: Any) -> Any:
    if isinstance(value, (list, tuple, set)):
        return ", ".join(str(item) for item in value)
    return value
