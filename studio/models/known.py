"""Hub models worth offering, as `known.toml` lists them: their cards before anything of them is on this machine."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from studio.models.card import Card
from studio.models.families import KINDS
from studio.models.marks import Marks, default_marks


@cache
def known() -> dict[str, Card]:
    """Model id ("hub:<organisation>/<name>") -> card, in the order of the file."""
    with Path(__file__).with_name("known.toml").open("rb") as handle:
        cards = [_card(entry) for entry in tomllib.load(handle)["model"]]
    return {card.id: card for card in cards}


def _card(entry: dict[str, Any]) -> Card:
    return Card(
        id=f"hub:{entry['id']}",
        title=entry["id"],
        folder=None,
        parameters=entry["parameters"],
        embedding_parameters=entry["embeddings"],
        bytes=entry["bytes"],
        kind=KINDS[entry["type"]],
        model_type=entry["type"],
        hidden=entry["hidden"],
        layers=entry["layers"],
        heads=entry["heads"],
        vocabulary=entry["vocabulary"],
        max_positions=entry["positions"],
        licence=entry["licence"],
        languages=tuple(entry["languages"]),
        on_disk=False,
        has_chat_template=entry.get("template", False),
        prefix=entry.get("prefix", ""),
        intermediate=entry["intermediate"],
        gated=entry.get("gated", False),
        marks=_marks(entry),
        listed=True,
    )


def _marks(entry: dict[str, Any]) -> Marks | None:
    """What the entry says of its tokens, else what the tokenizer class of its family does."""
    if "marks" not in entry:
        return default_marks(entry["type"])
    own, pad, begin, end = entry["marks"]
    return Marks(own, pad, begin, end)
