"""The number format of matrix products, and the attention kernel that is fastest in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN_TOKENS = 256
"""Up to so many tokens a row torch's plain attention learns faster in bfloat16 on a processor than its fused kernel:
1.3 to 1.4 times at 32 to 128 tokens, 1.05 times at 256 (MiniLM, 16 rows, two cores with AVX512-BF16). Beyond it the
scores of every pair of tokens, which only the plain one keeps, cost memory."""


def number_format(name: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """The context in which matrix products run in `name` ("fp32": as they are, "bf16": rounded)."""
    import torch

    if name == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16)


@contextlib.contextmanager
def learning_format(name: str, device: str, tokens: int) -> Iterator[None]:
    """As `number_format`, for a forward pass over rows of `tokens` tokens from which a backward pass follows."""
    with number_format(name, device):
        if name != "bf16" or device != "cpu" or tokens > _PLAIN_TOKENS:
            yield
            return
        with _plain_attention():
            yield


def width(batch: Mapping[str, Any]) -> int:
    """Tokens a row, padding included; 0 where a frozen encoder was computed ahead."""
    return int(batch["input_ids"].shape[1]) if "input_ids" in batch else 0


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as two matrix products and a softmax, all in the format of its inputs."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    flags: Any = torch.backends.cuda  # the switch is named after CUDA and holds for every device
    before = flags.fp16_bf16_reduction_math_sdp_allowed()
    flags.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        flags.allow_fp16_bf16_reduction_math_sdp(before)
