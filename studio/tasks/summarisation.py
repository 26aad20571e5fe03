"""Summarisation: an encoder-decoder learns from documents and their summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.options import option
from studio.tasks.base import Role, Rows, tasks
from studio.tasks.languages import guess_language
from studio.tasks.pairing import named_pair, only_texts, pair_suggestion, two_texts
from studio.tasks.seq2seq import Seq2Seq, taught_by_prefix

if TYPE_CHECKING:
    from studio.data.roles import Column, Suggestion

_SURELY = ("summary", "abstract", "highlights", "synopsis", "tldr", "short_description", "摘要", "总结", "概要")
_READ = 200


@dataclass(frozen=True)
class SummarisationOptions:
    """`label_smoothing` keeps the model from being too sure of one wording."""

    label_smoothing: float = option(0.1, low=0.0, high=0.3, step=0.05)


class Summarisation(Seq2Seq):
    """The same in fewer words."""

    key = "summarisation"
    order = 61
    main_metric = "rouge_l"
    roles = (
        Role(
            "document",
            ("document", "article", "text", "body", "content", "description", "long_description", "story", "dialogue")
            + ("report", "passage", "正文", "文章", "全文", "原文", "内容", "文档"),
        ),
        Role(
            "summary",
            ("summary", "abstract", "highlights", "headline", "title", "synopsis", "tldr", "short_description")
            + ("target", "摘要", "总结", "概要", "标题", "简介"),
        ),
    )
    Options = SummarisationOptions

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """{"target_language"} (and the same as the source's): how its words are counted."""
        language = guess_language(row["summary"] or "" for row in train[:_READ])
        return {"source_language": language, "target_language": language}

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """A header that can only mean a summary beside one that is a document."""
        found = named_pair(columns, self.roles[0].names, _SURELY)
        return None if found is None or not only_texts(columns, found) else pair_suggestion(self, found, "summary")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Of two texts, the shorter may be the summary of the longer."""
        texts = sorted(two_texts(columns), key=lambda column: -float(column["mean_length"]))
        return [pair_suggestion(self, (str(texts[0]["name"]), str(texts[1]["name"])), "summary")] if texts else []

    def prompt(self, tokenizer: Any, facts: dict[str, Any]) -> str:
        return "summarize: " if taught_by_prefix(tokenizer) else super().prompt(tokenizer, facts)


tasks.register(Summarisation())
