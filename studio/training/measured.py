"""What steps of a model really cost on this machine, as numbers that a plan can use without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """One model, method and number format, measured at three row lengths.

    `lengths` in tokens, ascending; at each the seconds a row takes in a training step (`learn`: forward and backward)
    and in a forward pass (`read`), and the bytes of activations it holds (`held`). `step` is the seconds of one
    optimizer step, `fixed` the bytes of process, weights, gradients and moments together.
    """

    lengths: tuple[int, ...]
    learn: tuple[float, ...]
    read: tuple[float, ...]
    held: tuple[int, ...]
    step: float
    fixed: int

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Measured:
        """Back again. Raises TypeError for a record of another version."""
        known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        return Measured(**known)

    def learning(self, lengths: Sequence[int]) -> float:
        """Seconds a row of these lengths takes in a training step, on average."""
        return sum(between(self.lengths, self.learn, length) for length in lengths) / len(lengths)

    def reading(self, lengths: Sequence[int]) -> float:
        """Seconds a row of these lengths takes in a forward pass, on average."""
        return sum(between(self.lengths, self.read, length) for length in lengths) / len(lengths)

    def holding(self, length: int) -> float:
        """Bytes of activations of a row."""
        return between(self.lengths, self.held, length)


def between(places: Sequence[int], values: Sequence[float], place: float) -> float:
    """The value at `place` on the line through the known ones; in proportion before the first and after the last."""
    if place <= places[0]:
        return values[0] * place / places[0]
    for number in range(1, len(places)):
        if place <= places[number]:
            share = (place - places[number - 1]) / max(places[number] - places[number - 1], 1)
            return values[number - 1] + share * (values[number] - values[number - 1])
    return values[-1] * place / places[-1]
