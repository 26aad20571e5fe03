"""QLoRA: an adapter beside a base kept in four bits (arXiv 2305.14314)."""

from __future__ import annotations

from typing import Any

from studio.methods.base import methods
from studio.methods.quantised import OUTSIDE_LAYERS, QuantisedLora


class Qlora(QuantisedLora):
    """Four-bit normal floats in blocks of 64, whose scales are quantised too: about half a byte a weight."""

    key = "qlora"
    order = 22
    linear_bytes = 0.52
    backward = 3.3

    def settings(self) -> Any:
        import torch
        from transformers import BitsAndBytesConfig

        return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
            llm_int8_skip_modules=[OUTSIDE_LAYERS],
        )


methods.register(Qlora())
