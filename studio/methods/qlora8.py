"""LoRA beside a base kept in eight bits (LLM.int8, arXiv 2208.07339)."""

from __future__ import annotations

from typing import Any, ClassVar

from studio.methods.base import methods
from studio.methods.lora import PlainLoraOptions
from studio.methods.quantised import OUTSIDE_LAYERS, QuantisedLora


class Qlora8(QuantisedLora):
    """One byte a weight, a scale for each row. Answers are computed from inputs in eight bits too, so a merged copy,
    which computes in float32, differs a little."""

    key = "qlora8"
    order = 23
    linear_bytes = 1.02
    backward = 3.3
    merged_gap = 0.05
    Options: ClassVar[type] = PlainLoraOptions
    """Without DoRA: it asks for the weights at each step, and the libraries lose an 8-bit layer's scales over that."""

    def settings(self) -> Any:
        from transformers import BitsAndBytesConfig

        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=[OUTSIDE_LAYERS])  # type: ignore[no-untyped-call]


methods.register(Qlora8())
