"""A number for each row: regression."""

from __future__ import annotations

from studio.kinds.base import Kind, kinds


class Score(Kind):
    """A number in the unit of the data, with the range seen in training."""

    key = "score"
    # Every step of the head moves the number itself, not which of several scores is the highest: a head that stands
    # right before the first step would be thrown off by the rate that suits labels.
    rates = {"full": (1e-4, 3e-4), "lora": (5e-4, 5e-4), "head": (1e-3, 3e-3)}


kinds.register(Score())
