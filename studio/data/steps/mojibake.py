"""Text decoded with the wrong table ("cafÃ©") back to what was meant, by the library ftfy."""

from __future__ import annotations

from typing import Any

from studio.data.steps.base import TextStep, steps


def repaired(text: str) -> str:
    """The text with wrong decodings undone; text without any is returned as it is."""
    if text.isascii():
        return text
    import ftfy

    # Only the encoding: entities, quotes and Unicode forms are steps of their own.
    return str(ftfy.fix_encoding(text))


class Mojibake(TextStep):
    key = "mojibake"
    order = 10

    def edit(self, text: str, options: Any, found: Any) -> str:
        return repaired(text)


steps.register(Mojibake())
