"""The model before tuning, guessing: which label's name or description lies nearest to the text in its own space.

It has no head for the labels, and a random head's answers would mean nothing; this is what it can honestly say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.evaluation.baseline import Question
from studio.tasks.base import Prediction

Floats = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]
# Cosines of sentence encoders lie close together; a twentieth spreads them over readable probabilities.
_TEMPERATURE = 0.05
_BATCH_TOKENS, _BATCH_ROWS = 4096, 32


class Untuned:
    """Guesses from `embed`, texts to vectors [texts, width]. `descriptions` replace label names where given."""

    key = "untuned"

    def __init__(
        self, embed: Embed, labels: Sequence[str], descriptions: Mapping[str, str] | None = None, size: int = 0
    ) -> None:
        self.embed = embed
        self.labels = list(labels)
        self.bytes = size
        self._targets: Floats = np.zeros((0, 0), np.float32)
        self.describe(descriptions or {})

    def describe(self, descriptions: Mapping[str, str]) -> None:
        """Use these descriptions from now on; a label without one is known by its name."""
        named = {label: label.replace("_", " ").replace("-", " ") for label in self.labels}
        named |= {label: text for label, text in descriptions.items() if label in named and text.strip()}
        self.descriptions = named
        self._targets = _unit(self.embed(list(named.values())))

    def predict(self, texts: Sequence[Question]) -> list[Prediction]:
        """{"label", "scores"}: the softmax of cosine similarities; a ranking more than probabilities."""
        if not texts:
            return []
        near = _unit(self.embed([text or "" for text in texts])) @ self._targets.T
        shares = np.exp((near - near.max(axis=1, keepdims=True)) / _TEMPERATURE)
        shares /= shares.sum(axis=1, keepdims=True)
        return [
            {"label": self.labels[int(row.argmax())], "scores": dict(zip(self.labels, row.tolist(), strict=True))}
            for row in shares.astype(np.float64)
        ]

    @staticmethod
    def load(
        folder: Path, labels: Sequence[str], prefix: str = "", max_length: int = 256, device: str = "cpu"
    ) -> Untuned:
        """The base model of `folder` as an embedder. Raises UserError where the folder cannot be loaded."""
        from studio.models.load import load_base, load_tokenizer

        model, tokenizer = load_base(folder).to(device), load_tokenizer(folder)
        size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
        return Untuned(embedder(model, tokenizer, prefix, max_length), labels, size=size)


def embedder(model: Any, tokenizer: Any, prefix: str = "", max_length: int = 256) -> Embed:
    """Texts to the model's pooled hidden states, float32 [texts, width], computed by length in small batches."""
    from studio.tasks.heads import pool, pooling_of

    how = pooling_of(model.config)

    def embed(texts: Sequence[str]) -> Floats:
        import torch

        from studio.training.batching import collate

        encoded = tokenizer([prefix + text for text in texts], truncation=True, max_length=max_length)["input_ids"]
        vectors = np.zeros((len(texts), model.config.hidden_size), np.float32)
        for places in by_length([len(ids) for ids in encoded]):
            # A text without any token still needs one position to be pooled over.
            items = [{"input_ids": encoded[place] or [tokenizer.pad_token_id or 0]} for place in places]
            batch = collate(items, tokenizer.pad_token_id or 0, str(model.device))
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state
                vectors[places] = pool(hidden, batch["attention_mask"], how).float().cpu().numpy()
        return vectors

    return embed


def by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Places in batches of like lengths, bounded in rows and padded tokens."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        longest = lengths[batches[-1][0]] if batches else 0
        if not batches or len(batches[-1]) == _BATCH_ROWS or (len(batches[-1]) + 1) * longest > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(place)
    return batches


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
