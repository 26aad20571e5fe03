"""Translation: an encoder-decoder learns from pairs of a text and its translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.options import option
from studio.tasks.base import Role, Rows, tasks
from studio.tasks.languages import CODES, NAMES, guess_language
from studio.tasks.pairing import language_pair, named_pair, only_texts, pair_suggestion, two_texts
from studio.tasks.seq2seq import Seq2Seq, taught_by_prefix

if TYPE_CHECKING:
    from studio.data.roles import Column, Suggestion

_SOURCES = ("source", "src", "msgid", "source_text", "原文", "源文", "源语言")
_TARGETS = ("target", "tgt", "translation", "translated", "msgstr", "target_text", "译文", "翻译", "目标语言")
_READ = 500
"""Rows from which the languages are guessed."""


@dataclass(frozen=True)
class TranslationOptions:
    """Languages are guessed from the texts ("auto") or named; models for many languages need to be told them."""

    source_language: str = option("auto", choices=("auto", *CODES))
    target_language: str = option("auto", choices=("auto", *CODES))
    label_smoothing: float = option(0.1, low=0.0, high=0.3, step=0.05)


class Translation(Seq2Seq):
    """The same in another language."""

    key = "translation"
    order = 60
    main_metric = "chrf"
    roles = (
        Role(
            "source",
            ("source", "src", "original", "msgid", "source_text", "text_from", "english", "en", "原文", "英文", "英语")
            + ("源语言", "源文"),
        ),
        Role(
            "target",
            ("target", "tgt", "translation", "translated", "msgstr", "target_text", "text_to", "chinese", "zh", "译文")
            + ("中文", "汉语", "翻译", "目标语言", "目标"),
        ),
    )
    Options = TranslationOptions

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """{"source_language", "target_language"}: codes, "" where they could not be told."""
        return {
            f"{role}_language": named if named != "auto" else guess_language(row[role] or "" for row in train[:_READ])
            for role, named in (("source", options.source_language), ("target", options.target_language))
        }

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """Headers that name both sides or two languages, or two columns of texts in two languages and nothing else."""
        found = named_pair(columns, _SOURCES, _TARGETS) or language_pair(columns)
        if found is None or not only_texts(columns, found):
            return None
        return pair_suggestion(self, found, "translation")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Two texts may be translations of one another, either way round."""
        names = [str(column["name"]) for column in two_texts(columns)]
        return [pair_suggestion(self, (a, b), "translation") for a, b in ((names, names[::-1]) if names else ())]

    def prompt(self, tokenizer: Any, facts: dict[str, Any]) -> str:
        source, target = (NAMES.get(str(facts.get(f"{role}_language"))) for role in ("source", "target"))
        if taught_by_prefix(tokenizer) and source and target:
            return f"translate {source} to {target}: "
        return super().prompt(tokenizer, facts)


tasks.register(Translation())
