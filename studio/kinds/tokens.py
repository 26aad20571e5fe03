"""Every token of a text foretold by a language model: masked and causal language modelling."""

from __future__ import annotations

from studio.kinds.base import Kind, Recipe, kinds


class Tokens(Kind):
    """The loss over a text's tokens. What only counts tokens is scored from the encoded rows, once a tokenizer is
    there."""

    key = "tokens"
    methods = ("full", "lora", "last_layers")
    simple = False
    generates = True
    before = True
    places_head = False
    vocabulary = True
    validation_rows = 200
    sample_seconds = 3.0
    report_seconds = 15.0
    batches = (1000, 8, 16)
    recipes = {
        "quick": Recipe(3, 1, 4, 128, 4, 3),
        "balanced": Recipe(4, 1, 6, 256, 6, 3),
        "thorough": Recipe(6, 2, 10, 512, 10, 4),
    }
    rates = {"full": (1e-4, 1e-3), "lora": (1e-3, 1e-3), "last_layers": (2e-4, 1e-3), "head": (1e-3, 1e-3)}


kinds.register(Tokens())
