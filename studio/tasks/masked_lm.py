"""Masked language modelling on domain text: a model that reads learns which words belong where in these texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Row, Rows, Task, tasks
from studio.tasks.causal import IGNORED, row_sums
from studio.tasks.heads import core_of
from studio.tasks.language import TEXT, text_offers, text_problems
from studio.tasks.masks import chosen, hide, load_masked, mask_logits

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion


@dataclass(frozen=True)
class MaskedLMOptions:
    """Masked language modelling has no choices of its own."""


class MaskedLM(Task):
    """Fifteen tokens of a hundred are hidden, the model says what stood there."""

    key = "masked_lm"
    order = 91
    result = "tokens"
    auto_class = "AutoModelForMaskedLM"
    peft_type = "MASKED_LM"
    main_metric = "perplexity"
    lower_is_better = True
    draws = True
    roles = (TEXT,)
    Options = MaskedLMOptions
    head: ClassVar[tuple[str, ...]] = ()

    def problems(self, rows: Rows) -> list[Problem]:
        return text_problems(rows)

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        return text_offers(self, columns)

    @property
    def models(self) -> tuple[str, ...]:
        return ("encoder",)

    @property
    def truth_roles(self) -> frozenset[str]:
        """The text is both what is read and what is to be foretold."""
        return frozenset()

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """A long text's loss and tokens are those of its blocks together."""
        return {name: sum(part[name] for part in windows) for name in ("loss", "tokens")}

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        return {}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_masked(folder)

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Every text as its blocks, one after the other."""
        found = self.documents(rows, tokenizer, facts, max_length)
        return [{**part, "row": place} for place, parts in enumerate(found) for part in parts]

    def documents(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[list[Item]]:
        """Every row as its blocks, each with the model's own marks around it; `labels` are the tokens that may be
        hidden, which those marks may not."""
        if not rows:
            return []
        # A prefix of sentence encoders ("query: ") stays out: a word that is always the same is no feat to foretell.
        cut = tokenizer(
            [row.get("text") or "" for row in rows],
            truncation=True,
            max_length=max_length,
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
        )
        found: list[list[Item]] = [[] for _ in rows]
        whose = cut.get("overflow_to_sample_mapping", range(len(rows)))
        for row, ids, special in zip(whose, cut["input_ids"], cut["special_tokens_mask"], strict=True):
            labels = [IGNORED if mark else token for token, mark in zip(ids, special, strict=True)]
            found[row].append({"input_ids": list(ids), "labels": labels})
        return found

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels, _ = self._logits(model, batch)
        return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return int(chosen(batch).sum())

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            logits, labels, rows = self._logits(model, batch)
            losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
            sums, tokens = row_sums(losses, rows, len(batch["labels"]))
        return [{"loss": loss, "tokens": number} for loss, number in zip(sums, tokens, strict=True)]

    def knows(self, model: torch.nn.Module) -> bool:
        """Whether the checkpoint came with a head of its own; what a new one says is chance."""
        return bool(getattr(core_of(model), "had_head", True))

    @staticmethod
    def _logits(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        core = core_of(model)
        masked = hide(batch, core.mask_token_id, core.config.vocab_size)
        return mask_logits(model, masked, batch["attention_mask"])


tasks.register(MaskedLM())
