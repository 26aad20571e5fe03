"""What every task that trains a left-to-right model shares: loading it, and logits at label positions only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.tasks.heads import core_of

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label of a token that is read but not learnt, as everywhere in the field."""
_SCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


def load_decoder(folder: str) -> torch.nn.Module:
    """The pretrained causal language model of a folder, float32, from safetensors only."""
    from transformers import AutoModelForCausalLM

    from studio.models.load import pretrained

    model: torch.nn.Module = pretrained(AutoModelForCausalLM, folder)
    return model


def label_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (N, V), labels (N,) and row numbers (N,) of the N label tokens only: the wide head skips the rest."""
    core = core_of(model)
    targets = batch["labels"][:, 1:]
    rows, places = (targets != IGNORED).nonzero(as_tuple=True)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids") if name in batch}
    if any(getattr(core.config, name, None) not in (None, 1, 1.0) for name in _SCALED):
        # These families change the logits behind the head; ask for all and keep the few that count.
        return core(**inputs, use_cache=False).logits[rows, places], targets[rows, places], rows
    hidden = core.base_model(**inputs, use_cache=False).last_hidden_state
    return core.get_output_embeddings()(hidden[rows, places]), targets[rows, places], rows


def token_losses(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """How surprised the model is by each label token, (N,)."""
    import torch

    logits, labels, _ = label_logits(model, batch)
    return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")


def row_sums(losses: torch.Tensor, rows: torch.Tensor, count: int) -> tuple[list[float], list[int]]:
    """Losses (N,) summed by their row number, and how many tokens each of `count` rows had."""
    import torch

    sums = torch.zeros(count, device=losses.device).index_add_(0, rows, losses)
    return sums.tolist(), torch.bincount(rows, minlength=count).tolist()
