"""The head that says of every token how likely an answer begins there, and ends there."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.tasks.heads import load_encoder
from studio.tasks.tokenheads import token_classifier

if TYPE_CHECKING:
    import torch

_HEAD = ("qa_outputs.weight", "qa_outputs.bias")


@cache
def span_finder() -> type[Any]:
    """The class of the model. It is made on first use, so that importing a task imports no torch."""

    class SpanFinder(token_classifier()):  # type: ignore[misc]
        """An encoder and `qa_outputs`, two scores a token: those of an answer's first and last token. It is named as in
        transformers' models for question answering: a head that was trained there is taken over."""

        head_name = "qa_outputs"

        def __init__(self, encoder: Any, dropout: float, head: str = "linear") -> None:
            super().__init__(encoder, 2, dropout, head)
            self.two_sided = tells_apart(encoder)
            self.taught = False
            """Whether the head came with the model."""

    return SpanFinder


def tells_apart(encoder: Any) -> bool:
    """Whether an encoder has an embedding each for the first and the second text (BERT); RoBERTa and others have one
    row there, or none, and would fail on a second."""
    kinds = int(getattr(encoder.config, "type_vocab_size", 0) or 0)
    return kinds > 1 and "token_type_ids" in inspect.signature(encoder.forward).parameters


def load_finder(folder: str, dropout: float, head: str = "linear") -> torch.nn.Module:
    """The encoder of a folder under a head for answers: its own where it has one and a linear one is wanted, else a
    new one."""
    import torch

    model: torch.nn.Module = span_finder()(load_encoder(folder), dropout, head)
    kept = _own_head(Path(folder)) if head == "linear" else None
    if kept is not None:
        with torch.no_grad():
            model.qa_outputs.weight.copy_(kept[0])  # type: ignore[union-attr, operator]
            model.qa_outputs.bias.copy_(kept[1])  # type: ignore[union-attr, operator]
        model.taught = True  # type: ignore[assignment]
    return model


def _own_head(folder: Path) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Weight (2, H) and bias (2,) of a head for answers among the model's files; None without one."""
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), "pt") as tensors:
            found |= {name: tensors.get_tensor(name) for name in tensors.keys() if name in _HEAD}  # noqa: SIM118
    if set(found) != set(_HEAD) or found[_HEAD[0]].shape[0] != 2:
        return None
    return found[_HEAD[0]].float(), found[_HEAD[1]].float()
