"""Translation: an encoder-decoder learns from pairs of a text and its translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.options import option
from studio.tasks.base import Role, Rows, tasks
from studio.tasks.languages import CODES, NAMES, guess_language
from studio.tasks.seq2seq import Seq2Seq, taught_by_prefix

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

    def prompt(self, tokenizer: Any, facts: dict[str, Any]) -> str:
        source, target = (NAMES.get(str(facts.get(f"{role}_language"))) for role in ("source", "target"))
        if taught_by_prefix(tokenizer) and source and target:
            return f"translate {source} to {target}: "
        return super().prompt(tokenizer, facts)


tasks.register(Translation())
