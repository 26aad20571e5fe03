"""Head only: the pretrained base stays as it is, and only the layer on top learns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.methods.base import Method, Verdict, methods
from studio.methods.parts import GENERATIVE, base_prefix, fits, head_names, put, suits, train_only

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

HEAD_FILE = "head.safetensors"


@dataclass(frozen=True)
class HeadOptions:
    """Head-only tuning has no choices of its own."""


class Head(Method):
    """A few thousand weights; what is saved is only them."""

    key = "head"
    order = 30
    adapter = True
    backward = 1.0
    encoder_fixed = True
    Options = HeadOptions

    def moving(self, card: Card, options: Any) -> int:
        return card.hidden * 16

    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        if peft_type in GENERATIVE:
            return Verdict(False, "verdict.method_no_head")
        return suits(peft_type, card) or fits(4 * card.parameters, hardware, "verdict.method_too_big_lora")

    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        """Raises UserError (`method_no_head`) when everything belongs to the base."""
        heads = head_names(model)
        if not heads:
            raise UserError("method_no_head", method=self.key)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.partition(".")[0] in heads)
        return model

    def save(self, model: torch.nn.Module, folder: str) -> None:
        from safetensors.torch import save_file

        Path(folder).mkdir(parents=True, exist_ok=True)
        names = _names(model)
        tensors = {name: part.detach().contiguous() for name, part in model.named_parameters() if name in names}
        save_file(tensors, str(Path(folder) / HEAD_FILE), {"format": "pt"})

    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Raises UserError (`tuned_weights_misfit`) for a head of other labels or another model."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(str(Path(folder) / HEAD_FILE))
        except (OSError, SafetensorError) as error:
            raise UserError("tuned_weights_misfit", folder=folder, part=HEAD_FILE) from error
        put(model, tensors, folder, _names(model))
        train_only(model, _names(model))
        return model.eval()


def _names(model: torch.nn.Module) -> set[str]:
    """The head's own weights: one that it shares with the base (a word table) is the base's."""
    prefix = f"{base_prefix(model)}."
    return {name for name, _ in model.named_parameters() if not name.startswith(prefix)}


methods.register(Head())
