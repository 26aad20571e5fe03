"""The bi-encoder for pairs: each text gets a vector by itself, and the score follows from the angle between the two.

Reimers and Gurevych 2019 (arXiv:1908.10084). A cross-encoder, which reads both texts at once, is often a little better
at scoring, but gives no vectors: finding the nearest of a thousand rows would take a thousand readings.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from studio.tasks.heads import pooled_classifier

if TYPE_CHECKING:
    import torch


@cache
def pair_scorer() -> type[Any]:
    """The class of the model. It is made on first use, so that importing a task imports no torch."""
    import torch
    from transformers.modeling_outputs import SequenceClassifierOutput

    class Emphasis(torch.nn.Module):
        """A weight for each dimension of a vector, one at first: what a frozen encoder's space can learn."""

        def __init__(self, size: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(size))

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            return vectors * self.weight

    class PairScorer(pooled_classifier()):  # type: ignore[misc]
        """An encoder, a weight a dimension, and a line from the cosine to the standardised score."""

        def __init__(self, encoder: Any) -> None:
            super().__init__(encoder, 1, 0.0)
            self.emphasis = Emphasis(encoder.config.hidden_size)
            # Before anything is learnt the score is the cosine itself.
            self.classifier = torch.nn.Linear(1, 1)
            torch.nn.init.ones_(self.classifier.weight)
            torch.nn.init.zeros_(self.classifier.bias)

        def pooled(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, cut: torch.Tensor | None = None, **_: Any
        ) -> torch.Tensor:
            """Both vectors a row, one after the other, (B, 2 H); `cut` (B,) is where the second text begins."""
            assert cut is not None, "a pair says where its second text begins"
            ids, mask = parted(input_ids, attention_mask, cut)
            both = super().pooled(ids, mask)
            return torch.cat([both[: len(cut)], both[len(cut) :]], dim=-1)

        def vectors(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            """The place of single texts in the space the cosine is taken in, unit length, (B, H) float32."""
            found = self.emphasis(super().pooled(input_ids, attention_mask).float())
            return torch.nn.functional.normalize(found, dim=-1, eps=1e-6)

        def forward(
            self,
            input_ids: torch.Tensor | None = None,
            attention_mask: torch.Tensor | None = None,
            features: torch.Tensor | None = None,
            **more: Any,
        ) -> Any:
            """Logits (B, 2): the standardised score, and the cosine it follows from."""
            if features is None:
                features = self.pooled(input_ids, attention_mask, **more)  # type: ignore[arg-type]
            one, other = (self.emphasis(part) for part in features.float().chunk(2, dim=-1))
            near = torch.nn.functional.cosine_similarity(one, other, dim=-1, eps=1e-6).unsqueeze(-1)
            return SequenceClassifierOutput(logits=torch.cat([self.classifier(near), near], dim=-1))

    return PairScorer


def parted(ids: torch.Tensor, mask: torch.Tensor, cut: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first texts of all rows and then their second ones, each (2 B, L) padded on the right, with their mask."""
    import torch

    whole = mask.sum(1)
    starts = torch.cat([torch.zeros_like(cut), cut])
    sizes = torch.cat([cut, whole - cut])
    steps = torch.arange(int(sizes.max()), device=ids.device)
    places = (starts.unsqueeze(1) + steps).clamp(max=ids.shape[1] - 1)
    inside = steps < sizes.unsqueeze(1)
    found = ids.repeat(2, 1).gather(1, places)
    # What lies behind a text is the row's own padding or its other text: a masked position may hold anything.
    return found.masked_fill(~inside, 0), inside.to(mask.dtype)
