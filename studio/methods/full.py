"""Full tuning: every weight moves, and the whole model is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.methods.base import Method, Verdict, methods
from studio.methods.parts import fits, put, suits
from studio.models.rules import weight_files
from studio.tasks.heads import quietly

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

_BYTES_A_PARAMETER = 16
"""float32: the weight, its gradient and Adam's two moments."""


@dataclass(frozen=True)
class FullOptions:
    """Full tuning has no choices of its own."""


class Full(Method):
    """All weights. Saved as a plain transformers folder that other programs open too."""

    key = "full"
    order = 10
    Options = FullOptions

    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        needed = _BYTES_A_PARAMETER * card.parameters
        return suits(peft_type, card, only_part=False) or fits(needed, hardware, "verdict.method_too_big")

    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        # All loaded weights move but those that the task found to be fixed (Marian's sinusoidal positions).
        return model

    def save(self, model: torch.nn.Module, folder: str) -> None:
        """config.json and model.safetensors (and generation settings where the model writes text)."""
        quietly(lambda: model.save_pretrained(folder))  # type: ignore[operator]

    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Raises UserError (`tuned_weights_misfit`, `model_no_weights`) for what does not belong to this model."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        tensors: dict[str, Any] = {}
        for path in weight_files(Path(folder)):
            try:
                tensors.update(load_file(path))
            except SafetensorError as error:
                raise UserError("model_weights_damaged", folder=folder, file=path.name) from error
        put(model, tensors, folder, _kept_names(model, tensors))
        return model.eval()


def _kept_names(model: torch.nn.Module, tensors: dict[str, Any]) -> set[str]:
    """The names a file of this model has: of weights that share their memory, one is enough, and what a family computes
    anew at every start (Marian's positions) is not written."""
    owners: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        owners.setdefault(id(tensor), []).append(name)
    wanted = {name for names in owners.values() for name in ([n for n in names if n in tensors] or names[:1])}
    unwritten = set(getattr(model, "_keys_to_ignore_on_save", None) or ())
    return wanted - (unwritten - set(tensors))


methods.register(Full())
