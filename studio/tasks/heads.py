"""The classifier on top of any encoder or decoder: hidden states, dropout, one linear layer or another head.

Mean pooling is what sentence encoders were trained with, so a few hundred rows are enough to place the labels in that
space; the stock heads read one token through a layer that starts from chance (measured: see `benchmarks`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from studio.tasks.layers import OVER_TOKENS, make_head

if TYPE_CHECKING:
    import torch


def pooling_of(config: Any) -> str:
    """ "mean" for models that read both ways, "last" (the last real token) for those that read left to right."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return "mean" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "last"


def pool(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """One vector a row, (B, H), from hidden states (B, T, H) and the attention mask (B, T)."""
    if how == "mean":
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
    positions = (mask * _positions(mask)).argmax(1)
    return hidden[_positions(hidden[:, 0, 0]), positions]


def own_tokens(mask: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """The mask (B, T) without what stands before the text: its first `before` (B,) positions."""
    if before is None:
        return mask
    return mask * (_positions(mask) >= before.unsqueeze(1))


def _positions(like: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.arange(like.shape[-1], device=like.device)


@cache
def pooled_classifier() -> type[Any]:
    """The class of the classifier. It is made on first use, so that importing a task imports no torch."""
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import SequenceClassifierOutput

    class PooledClassifier(PreTrainedModel):  # type: ignore[no-untyped-call]
        """An encoder under its own prefix ("bert", "model") and a `classifier`: weights load with `AutoModel` too."""

        config_class = PreTrainedConfig
        supports_gradient_checkpointing = True
        _supports_sdpa = True
        _supports_flash_attn = True
        _supports_flex_attn = True

        def __init__(self, encoder: Any, labels: int, dropout: float, head: str = "linear") -> None:
            super().__init__(encoder.config)
            if getattr(encoder, "pooler", None) is not None:
                encoder.pooler = None  # it reads the first token for the stock heads; nothing here asks it
            self.pooling = pooling_of(encoder.config)
            self.base_model_prefix = encoder.base_model_prefix or "encoder"
            setattr(self, self.base_model_prefix, encoder)
            self.dropout = torch.nn.Dropout(dropout)
            self.over_tokens = head in OVER_TOKENS
            self.classifier = make_head(head, encoder.config.hidden_size, labels, dropout)
            self.register_buffer("class_weights", torch.ones(labels), persistent=False)
            self.post_init()  # type: ignore[no-untyped-call]

        def _init_weights(self, module: Any) -> None:
            """Everything is initialised where it is made or loaded; a second time would undo that."""

        def pooled(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor | None = None,
            before: torch.Tensor | None = None,
            **_: Any,
        ) -> torch.Tensor:
            """The encoder's vector a row, (B, H); of texts with earlier ones before them, whose tokens `before` (B,)
            counts, that of the text alone, which has read the others."""
            hidden = self._hidden(input_ids, attention_mask, token_type_ids)
            return pool(hidden, own_tokens(attention_mask, before), self.pooling)

        def _hidden(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None
        ) -> torch.Tensor:
            parts = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            output = self.base_model(input_ids=input_ids, attention_mask=attention_mask, **parts)
            hidden: torch.Tensor = output.last_hidden_state
            return hidden

        def features_of(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **more: Any) -> torch.Tensor:
            """What the head reads and what stays the same while only the head learns: a vector a row (B, H), or for
            heads over all tokens one a token (B, T, H)."""
            if self.over_tokens:
                return self._hidden(input_ids, attention_mask, more.get("token_type_ids"))
            return self.pooled(input_ids, attention_mask, **more)

        def forward(
            self,
            input_ids: torch.Tensor | None = None,
            attention_mask: torch.Tensor | None = None,
            features: torch.Tensor | None = None,
            **more: Any,
        ) -> Any:
            """Logits (B, labels) from tokens, or from `features` computed earlier by `features_of`."""
            if features is None:
                features = self.features_of(input_ids, attention_mask, **more)  # type: ignore[arg-type]
            mask = (attention_mask,) if self.over_tokens else ()
            return SequenceClassifierOutput(logits=self.classifier(self.dropout(features), *mask))

    return PooledClassifier


def inputs_of(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a model is given of a batch: all but the truth."""
    return {name: part for name, part in batch.items() if name != "labels"}


def core_of(model: Any) -> Any:
    """The task's own model inside whatever adapters wrapped around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def quietly(load: Any) -> Any:
    """Call `load` without transformers' progress bars and load reports: unused heads are expected."""
    from transformers.utils import logging as log

    logging: Any = log  # untyped in transformers
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load()
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def load_encoder(folder: str) -> torch.nn.Module:
    """The pretrained encoder in float32, from safetensors only.

    Attention's own dropout is left out: it keeps torch from its fused kernels, which costs a fifth of a step, and the
    dropout after each layer does the same work.
    """
    from transformers import AutoConfig, AutoModel

    from studio.models.load import pretrained

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    encoder: torch.nn.Module = pretrained(AutoModel, folder, config=config)
    return encoder
