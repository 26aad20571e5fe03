"""Labels of very different frequency: how strongly rows of a label are drawn, and the focal loss.

Drawing by the inverse of a label's frequency (or a power of it) is as old as Mahajan et al. 2018 (arXiv:1805.00932);
the focal loss is that of Lin et al. 2017 (arXiv:1708.02002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def pull(count: int, share: float) -> float:
    """How strongly a row of a label with `count` rows is drawn, relative to others: 1 with `share` 0, and so that every
    label comes up equally often with 1."""
    return float(count**-share)


def focal(shares: torch.Tensor, gamma: float) -> torch.Tensor:
    """What the cross-entropy of answers is multiplied by, from the probability of the right one: the surer it already
    is, the less it counts."""
    return (1 - shares).clamp(min=0.0) ** gamma
