"""LoRA beside a base whose matrices are kept in a few bits, by bitsandbytes; the additions learn in float32.

The base is quantised while it is read, matrix by matrix and always the same way, so that the same base gives the same
model at every load and only the adapter has to be kept.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.methods.base import Loaded, Verdict
from studio.methods.lora import Lora, readopted
from studio.methods.parts import fits, suits

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

LIBRARY = "bitsandbytes"
OUTSIDE_LAYERS = r"(?!(?:.*\.)?\d+\.).*$"
"""Names of modules outside the numbered layers (embeddings, poolers, heads): they stay as they are."""

# It says at every product of matrices that numbers are rounded, and at every start which kernels are not installed.
logging.getLogger(LIBRARY).setLevel(logging.ERROR)


class QuantisedLora(Lora):
    """What the methods that quantise share. `settings` says how."""

    adapter = True
    kin = "lora"

    @abstractmethod
    def settings(self) -> Any:
        """transformers' BitsAndBytesConfig."""

    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        if refused := suits(peft_type, card):
            return refused
        if find_spec(LIBRARY) is None:
            return Verdict(False, "verdict.method_no_library", {"library": LIBRARY})
        # Embeddings stay wide; the adapter, its gradients and moments are a few hundredths of the base, in float32.
        inner = card.parameters - card.embedding_parameters
        needed = int(self.linear_bytes * inner + 4 * card.embedding_parameters + 0.6 * card.parameters)
        return fits(needed, hardware, "verdict.method_too_big_lora")

    def open(self, load: Callable[[], Loaded]) -> Loaded:
        """Raises UserError (`method_no_library`) where the library is missing."""
        if find_spec(LIBRARY) is None:
            raise UserError("method_no_library", method=self.key, library=LIBRARY)
        from studio.models.load import quantised

        with quantised(self.settings(), _exact):
            return load()

    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        return super().prepare(_marked(model), peft_type, options)

    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        return super().load(_marked(model), folder)

    def merged(self, model: torch.nn.Module) -> torch.nn.Module:
        """The base as wide as it is computed in, with the adapter added to it: adding to a few bits would round most of
        what was learnt away."""
        return super().merged(readopted(model, widened))


def _marked(model: torch.nn.Module) -> torch.nn.Module:
    """peft looks on the outermost model, which may be a head of ours, for how its matrices are kept."""
    from studio.models.lightpeft import see_quantised

    see_quantised()
    four, eight = _layers()
    for part in model.modules():
        if isinstance(part, four):
            model.is_loaded_in_4bit = True  # type: ignore[assignment]
        elif isinstance(part, eight):
            model.is_loaded_in_8bit = True  # type: ignore[assignment]
    return model


def _exact(model: torch.nn.Module) -> None:
    """Keeps the library's own kernel for one kind of processor away: it rounds to bfloat16 and fails for narrow layers.

    Here, where every quantised model is read, the untuned one among them, which no adapter ever joins.
    """
    four, _ = _layers()
    for part in model.modules():
        if isinstance(part, four):
            part.support_avx512bf16_for_cpu = False


def _layers() -> tuple[type[Any], type[Any]]:
    """The library's layers of four and of eight bits."""
    from bitsandbytes import nn

    untyped: Any = nn
    return untyped.Linear4bit, untyped.Linear8bitLt


def widened(model: torch.nn.Module) -> torch.nn.Module:
    """The same model with float32 layers of the classes its family has, in place of the quantised ones."""
    import torch
    from peft.utils.integrations import dequantize_module_weight
    from transformers import pytorch_utils

    untyped: Any = pytorch_utils
    conv: Any = untyped.Conv1D
    found: list[tuple[str, Any]] = [(name, part) for name, part in model.named_modules() if isinstance(part, _layers())]
    for name, part in found:
        weight = dequantize_module_weight(part).float()
        plain: Any = None
        made_from: Any = getattr(part, "source_cls", None)
        if made_from is conv:
            plain, weight = conv(part.out_features, part.in_features), weight.T.contiguous()
        else:
            plain = torch.nn.Linear(part.in_features, part.out_features, bias=part.bias is not None)
        plain.weight = torch.nn.Parameter(weight, requires_grad=False)
        if part.bias is not None:
            plain.bias = torch.nn.Parameter(part.bias.detach().float(), requires_grad=False)
        model.set_submodule(name, plain)
    for mark in ("is_loaded_in_4bit", "is_loaded_in_8bit", "is_quantized", "quantization_method", "hf_quantizer"):
        for owner in model.modules():
            owner.__dict__.pop(mark, None)
    for owner in model.modules():
        config: Any = getattr(owner, "config", None)
        if hasattr(config, "quantization_config"):
            del config.quantization_config
    return model
