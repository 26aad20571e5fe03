"""Hiding words of a batch for masked language modelling (Devlin et al. 2019, arXiv:1810.04805).

What is hidden follows from numbers alone: in training from the run's seed and the step, so that a resumed run hides
the same; in evaluation from the row itself, so that every model is asked the same at every time.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from studio.tasks.causal import IGNORED
from studio.tasks.heads import core_of

if TYPE_CHECKING:
    import torch

SHARE = 0.15
"""Of the tokens that may be hidden; of a row at least one."""
_HIDDEN, _SWAPPED = 0.8, 0.1
"""In training: shares of the chosen tokens that become the mask, and that become any token; the rest stays."""
_HEADS = ("cls", "lm_head", "predictions")
"""Under these names hang heads that take hidden states (N, H) by themselves."""


class Masked(NamedTuple):
    """`input_ids` (B, T) as the model sees them, `labels` (B, T): the hidden token, IGNORED elsewhere."""

    input_ids: torch.Tensor
    labels: torch.Tensor


def chosen(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Which tokens of a batch are to be foretold, (B, T) of bool, on the CPU. `labels` mark those that may be."""
    return _choice(batch)[0]


def hide(batch: dict[str, torch.Tensor], mask_id: int, vocabulary: int) -> Masked:
    """The batch with its chosen tokens hidden: all of them in evaluation, as in the paper where there is a `draw`."""
    import torch

    places, chance = _choice(batch)
    ids, candidates = batch["input_ids"].cpu(), batch["labels"].cpu()
    labels = torch.where(places, candidates, IGNORED)
    hidden = torch.where(places, mask_id, ids)
    if chance is not None:
        fate = torch.from_numpy(chance.random(ids.shape, np.float32))
        others = torch.from_numpy(chance.integers(0, vocabulary, ids.shape))
        hidden = torch.where(places & (fate >= _HIDDEN), torch.where(fate < _HIDDEN + _SWAPPED, others, ids), hidden)
    device = batch["input_ids"].device
    return Masked(hidden.to(device), labels.to(device))


def _choice(batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, np.random.Generator | None]:
    """The chosen places, and in training the chance that goes on to say what becomes of them."""
    import torch

    candidates = (batch["labels"] != IGNORED).cpu().numpy()
    chance = None
    if "draw" in batch:
        chance = np.random.default_rng([int(number) for number in batch["draw"].tolist()])
        noise = chance.random(candidates.shape, np.float32)
    else:
        # A row is asked the same whatever stands beside it and however far it is padded.
        noise = np.ones(candidates.shape, np.float32)
        ids = batch["input_ids"].cpu().numpy()
        for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
            seed = zlib.crc32(ids[row, :length].astype(np.int64).tobytes())
            noise[row, :length] = np.random.default_rng(seed).random(length, np.float32)
    noise[~candidates] = 2.0
    places = noise < SHARE
    some = candidates.any(1)
    places[some, noise.argmin(1)[some]] = True
    return torch.from_numpy(places), chance


def mask_logits(model: torch.nn.Module, masked: Masked, attention_mask: torch.Tensor) -> Any:
    """Logits (N, V), labels (N,) and row numbers (N,) of the N hidden tokens; the wide head skips all others."""
    core = core_of(model)
    rows, places = (masked.labels != IGNORED).nonzero(as_tuple=True)
    inputs = {"input_ids": masked.input_ids, "attention_mask": attention_mask}
    head = next((getattr(core, name) for name in _HEADS if hasattr(core, name)), None)
    if head is None:
        logits = core(**inputs).logits[rows, places]
    else:
        logits = head(core.base_model(**inputs).last_hidden_state[rows, places])
    return logits, masked.labels[rows, places], rows


def load_masked(folder: str) -> torch.nn.Module:
    """The masked language model of a folder, float32, from safetensors only, with two marks of ours on it: `had_head`
    (False where the checkpoint held none and a new one was made) and `mask_token_id`. Raises UserError
    (`mask_token_missing`)."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    from studio.errors import UserError
    from studio.models.load import SAFELY, load_tokenizer, pretrained

    mask = load_tokenizer(folder).mask_token_id
    config = AutoConfig.from_pretrained(folder, **SAFELY)
    if mask is None:
        raise UserError("mask_token_missing", model=str(folder), family=config.model_type)
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)  # keeps torch from its fused kernels; the dropout after each layer stays
    model, report = pretrained(AutoModelForMaskedLM, folder, config=config, output_loading_info=True)
    base = f"{model.base_model_prefix}."
    model.had_head = all(name.startswith(base) for name in report["missing_keys"])
    model.mask_token_id = mask
    if not model.had_head:
        _plain_head(model, base)
    found: torch.nn.Module = model
    return found


def _plain_head(model: Any, base: str) -> None:
    """A new head that begins by comparing what the encoder says with the word table: its layers pass on what they get,
    its last one is the table itself. A head drawn at random would first have to unlearn itself."""
    import torch

    for name, part in model.named_modules():
        square = isinstance(part, torch.nn.Linear) and part.in_features == part.out_features
        if square and not f"{name}.".startswith(base):
            torch.nn.init.eye_(part.weight)
            torch.nn.init.zeros_(part.bias)
    model.tie_weights()


def hidden_tokens(item: dict[str, Any]) -> list[int]:
    """The tokens of one encoded row that a model is asked for in evaluation."""
    import torch

    ids = torch.tensor([item["input_ids"]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([item["labels"]])}
    return [int(token) for token in batch["labels"][chosen(batch)]]
