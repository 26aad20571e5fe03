"""How alike two texts are, as a number: sentence pairs with a score."""

from __future__ import annotations

from studio.kinds.base import Kind, kinds


class Similarity(Kind):
    """A number in the unit of the data and the cosine it was made from; texts have places in one space, so that the
    nearest rows to a text can be found."""

    key = "similarity"
    # The head is two numbers and a weight a dimension, set right before the first step: it needs no high rate.
    rates = {"full": (1e-4, 1e-3), "lora": (5e-4, 1e-3), "head": (1e-2, 1e-2)}


kinds.register(Similarity())
