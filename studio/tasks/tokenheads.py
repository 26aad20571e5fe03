"""Heads that say something of every token, and the windows through which long texts pass under them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from studio.tasks.layers import OVER_TOKENS, make_head

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
        """An encoder under its own prefix ("bert", "model") and a head, of the name `head_name`, of each token."""

        config_class = PreTrainedConfig
        supports_gradient_checkpointing = True
        _supports_sdpa = True
        _supports_flash_attn = True
        _supports_flex_attn = True
        head_name = "classifier"
        two_sided = False
        """Whether the encoder is told which tokens are the first text's and which the second's."""

        def __init__(self, encoder: Any, outputs: int, dropout: float, head: str = "linear") -> None:
            super().__init__(encoder.config)
            if getattr(encoder, "pooler", None) is not None:
                encoder.pooler = None  # it reads the first token for the stock heads; nothing here asks it
            self.base_model_prefix = encoder.base_model_prefix or "encoder"
            setattr(self, self.base_model_prefix, encoder)
            self.dropout = torch.nn.Dropout(dropout)
            self.over_tokens = True
            self.reads_mask = head in OVER_TOKENS
            setattr(self, self.head_name, make_head(head, encoder.config.hidden_size, outputs, dropout, each=True))
            self.post_init()  # type: ignore[no-untyped-call]

        def _init_weights(self, module: Any) -> None:
            """Everything is initialised where it is made or loaded; a second time would undo that."""

        def features_of(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor | None = None,
            **_: Any,
        ) -> torch.Tensor:
            """What the head reads, a vector a token (B, T, H): the same as long as only the head learns."""
            kinds = {"token_type_ids": token_type_ids} if self.two_sided and token_type_ids is not None else {}
            hidden: torch.Tensor = self.base_model(
                input_ids=input_ids, attention_mask=attention_mask, **kinds
            ).last_hidden_state
            return hidden

        def forward(
            self,
            input_ids: torch.Tensor | None = None,
            attention_mask: torch.Tensor | None = None,
            features: torch.Tensor | None = None,
            **more: Any,
        ) -> Any:
            """Logits (B, T, outputs) from tokens, or from `features` computed earlier by `features_of`."""
            if features is None:
                features = self.features_of(input_ids, attention_mask, **more)  # type: ignore[arg-type]
            mask = (attention_mask,) if self.reads_mask else ()
            return TokenClassifierOutput(logits=getattr(self, self.head_name)(self.dropout(features), *mask))

    return TokenHead


_READ = ("input_ids", "attention_mask", "token_type_ids", "features")


def logits_of(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Logits (B, T, outputs) in float32."""
    found: torch.Tensor = model(**{name: batch[name] for name in _READ if name in batch}).logits
    return found.float()


def overlap_of(tokenizer: Any, share: float, max_length: int, *, pair: bool = False) -> int:
    """Tokens that a window repeats of the one before it: `share` of its own text, few enough that it goes on."""
    room = int(max_length - tokenizer.num_special_tokens_to_add(pair=pair))
    return max(0, min(int(share * room), room - _LEAST))
