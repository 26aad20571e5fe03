"""Stop words, from the lists of stopwords-iso; Chinese is cut into words first, so that no word loses a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.data.steps.base import TextStep, steps
from studio.options import option

LANGUAGES = tuple(
    "en zh af ar bg bn ca cs da de el eo es et eu fa fi fr ga gl gu ha he hi hr hu hy id it ja ko ku la lt lv mr ms nl no pl "  # noqa: E501
    "pt ro ru sk sl so st sv sw th tl tr uk ur vi yo zu".split()
)


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    language: str = option("en", choices=LANGUAGES)


class Stopwords(TextStep):
    key = "stopwords"
    order = 38
    Options = Options

    def prepare(self, options: Any) -> Any:
        import regex
        import stopwordsiso

        words = frozenset(stopwordsiso.stopwords(options.language))
        return words, regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’\-][\p{L}\p{M}\p{N}]+)*")

    def edit(self, text: str, options: Any, found: Any) -> str:
        words, pattern = found
        if options.language == "zh":
            import rjieba

            return "".join(word for word in rjieba.cut(text) if word not in words or not word.strip())
        plain = pattern.sub(lambda word: "" if word[0].lower().replace("’", "'") in words else word[0], text)
        return text if plain == text else " ".join(plain.split())


steps.register(Stopwords())
