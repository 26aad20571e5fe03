"""Causal language modelling on domain text: a model that writes learns the words and turns of these texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Row, Rows, Task, tasks
from studio.tasks.causal import IGNORED, label_logits, load_decoder, row_sums
from studio.tasks.language import TEXT, blocks, text_offers, text_problems

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion


@dataclass(frozen=True)
class CausalLMOptions:
    """`end_mark`: whether the model also learns where a text ends."""

    end_mark: bool = option(True)


class CausalLM(Task):
    """The next token, all through every text."""

    key = "causal_lm"
    order = 90
    result = "tokens"
    auto_class = "AutoModelForCausalLM"
    peft_type = "CAUSAL_LM"
    main_metric = "perplexity"
    lower_is_better = True
    packs = True
    roles = (TEXT,)
    Options = CausalLMOptions

    def problems(self, rows: Rows) -> list[Problem]:
        return text_problems(rows)

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        return text_offers(self, columns)

    @property
    def models(self) -> tuple[str, ...]:
        return ("decoder",)

    @property
    def starter(self) -> str:
        return "starter:smollm2"

    @property
    def truth_roles(self) -> frozenset[str]:
        """The text is both what is read and what is to be foretold."""
        return frozenset()

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """A long text's loss and tokens are those of its blocks together."""
        return {name: sum(part[name] for part in windows) for name in ("loss", "tokens")}

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        return {"end_mark": options.end_mark}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_decoder(folder)

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Every text as its blocks, one after the other."""
        found = self.documents(rows, tokenizer, facts, max_length)
        return [{**part, "row": place} for place, parts in enumerate(found) for part in parts]

    def documents(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[list[Item]]:
        """Every row as its blocks; an end mark behind the last where the text ends."""
        if not rows:
            return []
        end = [tokenizer.eos_token_id] if facts.get("end_mark", True) and tokenizer.eos_token_id is not None else []
        found = []
        for ids in tokenizer([row.get("text") or "" for row in rows])["input_ids"]:
            # Some tokenizers write the end mark themselves.
            whole = list(ids) + (end if list(ids[-1:]) != end else [])
            found.append([{"input_ids": part, "labels": list(part)} for part in blocks(whole, max_length)])
        return found

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels, _ = label_logits(model, batch)
        return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return int((batch["labels"][:, 1:] != IGNORED).sum())

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            logits, labels, rows = label_logits(model, batch)
            losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
            sums, tokens = row_sums(losses, rows, len(batch["labels"]))
        return [{"loss": loss, "tokens": number} for loss, number in zip(sums, tokens, strict=True)]


tasks.register(CausalLM())
