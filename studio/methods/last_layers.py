"""Last layers: the top of the model and its head learn, everything below stays as it was trained.

What lies below the first moving layer gives the same numbers in every epoch, so nothing of it has to be kept for the
way back, and a run of several passes computes it once (`studio.training.bottom`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.methods.base import Method, Verdict, methods
from studio.methods.parts import GENERATIVE, block_stack, fits, head_names, put, suits, train_only
from studio.options import option

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

LAYERS_FILE = "layers.safetensors"
DEFAULT_LAYERS = 2
_LAST_NORMS = ("norm", "final_norm", "ln_f", "final_layer_norm", "final_layernorm", "layer_norm")
_SHARED = ("albert",)
"""Families whose layers are one and the same set of weights, so that none can move alone."""


@dataclass(frozen=True)
class LastLayersOptions:
    """`layers` counts from the top; more than the model has means all of them."""

    layers: int = option(DEFAULT_LAYERS, low=1, high=128, step=1, advanced=False)


class LastLayers(Method):
    """The last N transformer layers, the norm behind them and the head; saved are only these."""

    key = "last_layers"
    order = 25
    adapter = True
    backward = 2.0
    Options = LastLayersOptions

    def moving(self, card: Card, options: Any) -> int:
        moving = min(int(options.layers), card.layers)
        return (card.parameters - card.embedding_parameters) * moving // max(card.layers, 1)

    def below(self, card: Card, options: Any) -> float:
        return max(0.0, 1 - int(options.layers) / max(card.layers, 1))

    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        if card.model_type in _SHARED:
            return Verdict(False, "verdict.method_shared_layers", {"title": card.title})
        layer = (card.parameters - card.embedding_parameters) // max(card.layers, 1)
        needed = 4 * card.parameters + 12 * min(DEFAULT_LAYERS, card.layers) * layer
        return suits(peft_type, card) or fits(needed, hardware, "verdict.method_too_big_lora")

    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        """Raises UserError (`last_layers_none`) for a model whose layers are not a numbered list."""
        # A language model's head is part of what it already knows, and often one with its word table.
        heads = () if peft_type in GENERATIVE else tuple(head_names(model))
        train_only(model, set(moving_names(model, options.layers, heads)))
        return model

    def save(self, model: torch.nn.Module, folder: str) -> None:
        from safetensors.torch import save_file

        Path(folder).mkdir(parents=True, exist_ok=True)
        moved = {name: part for name, part in model.named_parameters() if part.requires_grad}
        tensors = {name: part.detach().cpu().contiguous() for name, part in moved.items()}
        save_file(tensors, str(Path(folder) / LAYERS_FILE), {"format": "pt"})

    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Raises UserError (`tuned_weights_misfit`) for layers of another model or a head of other labels."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(str(Path(folder) / LAYERS_FILE))
        except (OSError, SafetensorError) as error:
            raise UserError("tuned_weights_misfit", folder=folder, part=LAYERS_FILE) from error
        stack, blocks = block_stack(model)
        # Any head there is was saved, or none; the blocks that were saved are the last ones without a gap.
        heads = tuple(head for head in head_names(model) if any(name.startswith(f"{head}.") for name in tensors))
        count = sum(any(name.startswith(f"{stack}.{place}.") for name in tensors) for place in range(len(blocks)))
        moving = set(moving_names(model, max(count, 1), heads))
        put(model, tensors, folder, moving)
        train_only(model, moving)
        return model.eval()


def moving_names(model: torch.nn.Module, layers: int, heads: tuple[str, ...]) -> list[str]:
    """Names of the parameters of the last `layers` blocks, of the norm behind them, and of the parts `heads`.

    Raises UserError (`last_layers_none`).
    """
    stack, blocks = block_stack(model)
    if not blocks:
        raise UserError("last_layers_none", model=type(model).__name__)
    above = stack.rpartition(".")[0]
    first = max(0, len(blocks) - layers)
    tops = [f"{stack}.{place}." for place in range(first, len(blocks))]
    tops += [f"{above}.{norm}." if above else f"{norm}." for norm in _LAST_NORMS]
    tops += [f"{head}." for head in heads]
    return [name for name, _ in model.named_parameters() if name.startswith(tuple(tops))]


methods.register(LastLayers())
