"""Causal language modelling on domain text: a model that writes learns the words and turns of these texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Rows, Task, tasks
from studio.tasks.causal import IGNORED, label_logits, load_decoder, row_sums
from studio.tasks.language import TEXT, blocks, text_problems

if TYPE_CHECKING:
    import torch


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
    roles = (TEXT,)
    Options = CausalLMOptions

    def problems(self, rows: Rows) -> list[Problem]:
        return text_problems(rows)

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        return {"end_mark": options.end_mark}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_decoder(folder)

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """The first block of every text; see `documents` for all of them."""
        return [parts[0] for parts in self.documents(rows, tokenizer, facts, max_length)]

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
