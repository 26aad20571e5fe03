"""A number for each row: regression."""

from __future__ import annotations

from studio.kinds.base import Kind, kinds


class Score(Kind):
    """A number in the unit of the data, with the range seen in training."""

    key = "score"


kinds.register(Score())
