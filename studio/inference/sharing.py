"""One copy of base weights for many adapters: equal weights of the same base become the same storage.

Only for models that will never be trained again in this process.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_WRAPPINGS = ("base_model.model.", "base_layer.", "original_module.")
"""What peft puts into the names of weights it leaves alone."""


class Shared:
    """Remembers the weights of loaded models for as long as one of those models lives."""

    def __init__(self) -> None:
        self._kept: weakref.WeakValueDictionary[tuple[str, str], Any] = weakref.WeakValueDictionary()

    def join(self, base: str, model: torch.nn.Module) -> int:
        """Give `model` the stored copy of every weight that is equal to it; the bytes this saved.

        Equality is checked, never assumed: a tuned weight of the same name keeps its own storage.
        """
        import torch

        saved = 0
        for path, module in model.named_modules():
            for leaf, weight in list(module._parameters.items()):
                if weight is None:
                    continue
                weight.requires_grad_(False)
                key = (base, _plain_name(f"{path}.{leaf}"))
                held = self._kept.get(key)
                if held is None:
                    self._kept[key] = weight
                elif held is not weight and _alike(held, weight) and torch.equal(held, weight):
                    module._parameters[leaf] = held
                    saved += weight.numel() * weight.element_size()
        return saved


def weights_of(model: torch.nn.Module) -> dict[int, int]:
    """Bytes by storage address of every weight and buffer, each storage once."""
    return {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in [*model.parameters(), *model.buffers()]
    }


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and one.device == other.device


def _plain_name(name: str) -> str:
    for wrapping in _WRAPPINGS:
        name = name.replace(wrapping, "")
    return name
