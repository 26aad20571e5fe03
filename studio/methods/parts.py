"""The parts of a model as a tuning method sees them: the pretrained base, the head on top, and its linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.methods.base import Verdict
from studio.models.scratch import is_scratch

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

CONTEXT_BYTES = 600_000_000
"""What the libraries and one small batch take beside the weights."""
_KINDS = {
    "SEQ_CLS": ("encoder", "decoder"),
    "TOKEN_CLS": ("encoder",),
    "QUESTION_ANS": ("encoder",),
    "CAUSAL_LM": ("decoder",),
    "MASKED_LM": ("encoder",),
    "SEQ_2_SEQ_LM": ("seq2seq",),
}
GENERATIVE = ("CAUSAL_LM", "SEQ_2_SEQ_LM")
"""Kinds of task whose head is the model's own vocabulary."""
_NEEDS = {"CAUSAL_LM": "verdict.method_needs_decoder", "SEQ_2_SEQ_LM": "verdict.method_needs_seq2seq"}


def base_prefix(model: torch.nn.Module) -> str:
    """The name under which the pretrained base hangs in a task model; "" when the model has no part but the base."""
    name = getattr(model, "base_model_prefix", "") or "encoder"
    return str(name) if isinstance(getattr(model, name, None), _module()) else ""


def _module() -> type[torch.nn.Module]:
    import torch

    return torch.nn.Module


def head_names(model: torch.nn.Module) -> list[str]:
    """The direct parts outside the base that hold weights of their own; a language head tied to the base is none."""
    prefix = base_prefix(model)
    names = {name.partition(".")[0] for name, _ in model.named_parameters()}
    return sorted(names - {prefix}) if prefix else []


def untied_heads(model: torch.nn.Module) -> list[str]:
    """The largest parts outside the base all of whose weights are their own, by full name.

    For a classifier that is the classifier; of a masked language model's head all but the word table it shares.
    """
    prefix = base_prefix(model)
    shared = {id(part) for name, part in model.named_parameters() if name.startswith(f"{prefix}.")}
    found: list[str] = []

    def walk(name: str, part: torch.nn.Module) -> None:
        own = [id(weight) for weight in part.parameters()]
        if own and shared.isdisjoint(own):
            found.append(name)
            return
        for child, inner in part.named_children():
            walk(f"{name}.{child}", inner)

    for name, part in model.named_children():
        if prefix and name != prefix:
            walk(name, part)
    return sorted(found)


def linear_layers(model: torch.nn.Module, attention_only: bool) -> tuple[list[str], bool]:
    """Full names of the base's linear layers inside its transformer blocks, and whether they store weights transposed.

    Poolers and embeddings are left out: a task that never calls them would train nothing there.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    prefix = base_prefix(model)
    found: list[str] = []
    transposed = False
    for name, layer in model.named_modules():
        inside = name.startswith(f"{prefix}.") if prefix else True
        # Blocks are numbered, so a digit in the path tells them from poolers and projections around them.
        if not inside or not isinstance(layer, (torch.nn.Linear, Conv1D)) or not any(map(str.isdigit, name.split("."))):
            continue
        if attention_only and not any(word in name.lower() for word in ("attn", "attention")):
            continue
        found.append(name)
        transposed = transposed or isinstance(layer, Conv1D)
    return found, transposed


def block_stack(model: torch.nn.Module) -> tuple[str, Any]:
    """The name of the list of transformer blocks and the list itself; ("", []) where a model has none.

    Of an encoder-decoder it is the decoder's: what lies behind the other stack.
    """
    import torch

    found = [
        (name, part) for name, part in model.named_modules() if isinstance(part, torch.nn.ModuleList) and len(part)
    ]
    # Lists inside a block (heads, experts, T5's sublayers) have a number in their path, the stacks themselves none.
    outer = [(name, part) for name, part in found if not any(map(str.isdigit, name.split(".")))]
    decoders = [pair for pair in outer if "decoder" in pair[0].split(".")]
    return max(decoders or outer, key=lambda pair: len(pair[1]), default=("", []))


def untaught(card: Card) -> bool:
    """Whether a model has learnt nothing yet."""
    return is_scratch(card.id)


def suits(peft_type: str, card: Card, only_part: bool = True) -> Verdict | None:
    """Why a model cannot do this kind of task, None when it can. `only_part` of its weights would move."""
    if card.kind in _KINDS.get(peft_type, (card.kind,)):
        # Beside random weights there is nothing to add to, and nothing to leave as it is.
        return (
            Verdict(False, "verdict.method_untaught", {"title": card.title}) if only_part and untaught(card) else None
        )
    return Verdict(False, _NEEDS.get(peft_type, "verdict.method_needs_encoder"), {"title": card.title})


def fits(needed: int, hardware: Hardware, too_big: str) -> Verdict:
    """Whether `needed` bytes of weights, gradients and optimizer state leave room on this machine."""
    needed += CONTEXT_BYTES
    available = hardware.usable_memory
    values = {"needed": round(needed / 1e9, 1), "available": round(available / 1e9, 1)}
    if needed > 0.9 * available:
        return Verdict(False, too_big, values)
    return Verdict(True, "verdict.method_fits", values)


def train_only(model: torch.nn.Module, names: set[str]) -> None:
    """Let these parameters learn and no others. A model that comes back is divided as it was, so that its base can be
    compared in the format that it had while it was frozen."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)


def put(model: torch.nn.Module, tensors: dict[str, Any], folder: str, wanted: set[str]) -> None:
    """Copy `tensors` into the model.

    Raises UserError (`tuned_weights_misfit`) unless they are exactly those `wanted`, each of the model's own shape.
    """
    own = model.state_dict()
    for name in sorted(wanted ^ set(tensors)):
        raise UserError("tuned_weights_misfit", folder=folder, part=name)
    for name, tensor in tensors.items():
        if name not in own or own[name].shape != tensor.shape:
            raise UserError("tuned_weights_misfit", folder=folder, part=name)
    model.load_state_dict(tensors, strict=False)
