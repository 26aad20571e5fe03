"""The head that says of every token how likely an answer begins there, and ends there."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.tasks.heads import load_encoder

if TYPE_CHECKING:
    import torch

_HEAD = ("qa_outputs.weight", "qa_outputs.bias")


@cache
def span_finder() -> type[Any]:
    """The class of the model. It is made on first use, so that importing a task imports no torch."""
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import TokenClassifierOutput

    class SpanFinder(PreTrainedModel):  # type: ignore[no-untyped-call]
        """An encoder under its own prefix ("bert", "model") and `qa_outputs`, two scores a token, named as in
        transformers' models for question answering: a head that was trained there is taken over."""

        config_class = PreTrainedConfig
        supports_gradient_checkpointing = True
        _supports_sdpa = True
        _supports_flash_attn = True
        _supports_flex_attn = True

        def __init__(self, encoder: Any, dropout: float) -> None:
            super().__init__(encoder.config)
            if getattr(encoder, "pooler", None) is not None:
                encoder.pooler = None  # it reads the first token for the stock heads; nothing here asks it
            self.base_model_prefix = encoder.base_model_prefix or "encoder"
            setattr(self, self.base_model_prefix, encoder)
            self.dropout = torch.nn.Dropout(dropout)
            self.qa_outputs = torch.nn.Linear(encoder.config.hidden_size, 2)
            torch.nn.init.normal_(self.qa_outputs.weight, std=0.02)
            torch.nn.init.zeros_(self.qa_outputs.bias)
            self.two_sided = tells_apart(encoder)
            self.taught = False
            """Whether the head came with the model."""
            self.post_init()  # type: ignore[no-untyped-call]

        def _init_weights(self, module: Any) -> None:
            """Everything is initialised where it is made or loaded; a second time would undo that."""

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor | None = None,
            **_: Any,
        ) -> Any:
            """Logits (B, T, 2) of an answer's first and last token."""
            kinds = {"token_type_ids": token_type_ids} if self.two_sided and token_type_ids is not None else {}
            hidden = self.base_model(input_ids=input_ids, attention_mask=attention_mask, **kinds).last_hidden_state
            return TokenClassifierOutput(logits=self.qa_outputs(self.dropout(hidden)))

    return SpanFinder


def tells_apart(encoder: Any) -> bool:
    """Whether an encoder has an embedding each for the first and the second text (BERT); RoBERTa and others have one
    row there, or none, and would fail on a second."""
    kinds = int(getattr(encoder.config, "type_vocab_size", 0) or 0)
    return kinds > 1 and "token_type_ids" in inspect.signature(encoder.forward).parameters


def load_finder(folder: str, dropout: float) -> torch.nn.Module:
    """The encoder of a folder under a head for answers: its own where it has one, else a new one."""
    import torch

    model: torch.nn.Module = span_finder()(load_encoder(folder), dropout)
    kept = _own_head(Path(folder))
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
