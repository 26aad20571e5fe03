"""Emoji go, or become their names, by the library emoji."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.data.steps.base import TextStep, steps
from studio.options import option


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    emoji_as: str = option("nothing", choices=("nothing", "english", "chinese"))


_LANGUAGE = {"english": "en", "chinese": "zh"}


class Emojis(TextStep):
    key = "emojis"
    order = 34
    Options = Options

    def edit(self, text: str, options: Any, found: Any) -> str:
        if text.isascii():
            return text
        import emoji

        if options.emoji_as == "nothing":
            return str(emoji.replace_emoji(text, ""))
        return str(emoji.demojize(text, language=_LANGUAGE[options.emoji_as]))


steps.register(Emojis())
