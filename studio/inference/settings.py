"""How a chat answer is generated: typed options with the caps that keep one answer from holding the machine."""

from __future__ import annotations

from dataclasses import dataclass

from studio.options import option

MOST_TOKENS = 512
"""No answer is longer than this many new tokens."""
MOST_SECONDS = 60.0
"""No answer computes longer than this."""
MOST_BEAMS = 8
"""No answer is written over more beams."""
BEAMS = "@beams"
"""Under this name a row may carry how many beams its answer is written over; no role begins with that mark."""
GROUP = "generation"


@dataclass(frozen=True)
class ChatSettings:
    """Settings of one answer. `temperature` 0 takes the likeliest token each time: same question, same answer."""

    max_new_tokens: int = option(256, low=1, high=MOST_TOKENS, advanced=False)
    temperature: float = option(0.0, low=0.0, high=2.0, step=0.1, advanced=False)
    top_p: float = option(0.95, low=0.05, high=1.0, step=0.05)
    top_k: int = option(0, low=0, high=1000)
    repetition_penalty: float = option(1.0, low=1.0, high=2.0, step=0.05)
    seed: int = option(0, low=0, high=2**31 - 1)
