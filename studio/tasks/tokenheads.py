"""Heads that say something of every token, and the windows through which long texts pass under them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LEAST = 8
"""Tokens of a text that a window holds at least, whatever overlaps."""


@cache
def token_classifier() -> type[Any]:
    """The class of the model. It is made on first use, so that importing a task imports no torch."""
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import TokenClassifierOutput

    class TokenHead(PreTrainedModel):  # type: ignore[no-untyped-call]
        """An encoder under its own prefix ("bert", "model") and a `classifier` of each of its tokens."""

        config_class = PreTrainedConfig
        supports_gradient_checkpointing = True
        _supports_sdpa = True
        _supports_flash_attn = True
        _supports_flex_attn = True

        def __init__(self, encoder: Any, outputs: int, dropout: float) -> None:
            super().__init__(encoder.config)
            if getattr(encoder, "pooler", None) is not None:
                encoder.pooler = None  # it reads the first token for the stock heads; nothing here asks it
            self.base_model_prefix = encoder.base_model_prefix or "encoder"
            setattr(self, self.base_model_prefix, encoder)
            self.dropout = torch.nn.Dropout(dropout)
            self.classifier = torch.nn.Linear(encoder.config.hidden_size, outputs)
            torch.nn.init.normal_(self.classifier.weight, std=0.02)
            torch.nn.init.zeros_(self.classifier.bias)
            self.post_init()  # type: ignore[no-untyped-call]

        def _init_weights(self, module: Any) -> None:
            """Everything is initialised where it is made or loaded; a second time would undo that."""

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
            """Logits (B, T, outputs)."""
            hidden = self.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return TokenClassifierOutput(logits=self.classifier(self.dropout(hidden)))

    return TokenHead


def logits_of(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits (B, T, outputs) in float32."""
    found: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return found.float()


def overlap_of(tokenizer: Any, share: float, max_length: int, *, pair: bool = False) -> int:
    """Tokens that a window repeats of the one before it: `share` of its own text, few enough that it goes on."""
    room = int(max_length - tokenizer.num_special_tokens_to_add(pair=pair))
    return max(0, min(int(share * room), room - _LEAST))
