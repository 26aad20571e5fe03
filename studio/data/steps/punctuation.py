"""Punctuation and symbols become spaces; marks inside a word ("don't", "3.5") stay."""

from __future__ import annotations

from typing import Any

from studio.data.steps.base import TextStep, steps


class Punctuation(TextStep):
    key = "punctuation"
    order = 36

    def prepare(self, options: Any) -> Any:
        import regex

        return regex.compile(
            r"(?<![\p{L}\p{N}])[\p{P}\p{S}]+|[\p{P}\p{S}]+(?![\p{L}\p{N}])|[\p{P}\p{S}]{2,}|[\p{P}--\p{ASCII}--[’·]]",
            regex.V1,
        )  # noqa: E501

    def edit(self, text: str, options: Any, found: Any) -> str:
        plain = found.sub(" ", text)
        return text if plain == text else " ".join(plain.split())


steps.register(Punctuation())
