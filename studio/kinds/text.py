"""A text written for each row by an encoder-decoder: translation, summarisation."""

from __future__ import annotations

from studio.kinds.base import Kind, Recipe, kinds
from studio.models.scratch import SCRATCH_ID


class Text(Kind):
    """The answer's text; while only scored, its loss."""

    key = "text"
    models = ("seq2seq",)
    starter = SCRATCH_ID
    methods = ("full", "lora", "last_layers")
    generates = True
    before = True
    places_head = False
    vocabulary = True
    shortens = False
    validation_rows = 300
    sample_seconds = 6.0
    report_seconds = 60.0
    batches = (2000, 16, 32)
    recipes = {
        "quick": Recipe(12, 1, 20, 128, 4, 3),
        "balanced": Recipe(16, 2, 30, 256, 6, 3),
        "thorough": Recipe(24, 3, 40, 512, 10, 4),
    }
    rates = {"full": (3e-4, 3e-4), "lora": (1e-3, 1e-3), "last_layers": (3e-4, 3e-4), "scratch": (1e-3, 1e-3)}


kinds.register(Text())
