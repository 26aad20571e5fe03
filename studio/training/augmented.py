"""The further training rows of a run: altered copies of those it has, see `studio.data.augment`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data import lexicon
from studio.data.augment import Growth, grown
from studio.errors import UserError
from studio.files import write_whole
from studio.tasks.base import Row, Task
from studio.training.options import TrainingOptions
from studio.training.rows import Table

if TYPE_CHECKING:
    from studio.data.augment import Filler
    from studio.data.lexicon import Lexicon

AUGMENTED = "augmented.json"
"""Where in its folder a run keeps the rows that a model made of its rows."""


def further_rows(
    task: Task,
    table: Table,
    options: TrainingOptions,
    seed: int,
    filler: Path | None = None,
    keep: Path | None = None,
) -> list[Row]:
    """Altered copies of training rows, where that was asked for; the same ones in every attempt.

    `filler` is the folder of the model for "context"; what it made is kept in the folder `keep`, since another
    machine's model may find other words. Raises UserError (`lexicon_gone`, `filler_gone`) where what other words come
    from is not on this machine.
    """
    growth = Growth(options.augment, options.augment_copies, options.augment_share, options.augment_most)
    held = [*table.part("validation"), *table.part("test")]
    kept = keep / AUGMENTED if keep and growth.kind == "context" else None
    if kept and kept.is_file():
        found: list[Row] = json.loads(kept.read_text("utf-8"))
        return found
    made = grown(task, table.part("train"), held, growth, seed, source_of(growth.kind, filler, options.augment_model))
    rows = [row for _, row in made]
    if kept:
        write_whole(kept, json.dumps(rows, ensure_ascii=False))
    return rows


def source_of(kind: str, filler: Path | None, model: str) -> Lexicon | Filler | None:
    """Where the other words of an augmentation come from, None for kinds that need none. Raises as `further_rows`."""
    if kind == "synonyms":
        place = lexicon.folder()
        if place is None:
            raise UserError("lexicon_gone", lexicon=lexicon.NAME)
        return lexicon.read(place)
    if kind == "context":
        from studio.inference.filling import open_filler

        if filler is None:
            raise UserError("filler_gone", model=model)
        return open_filler(filler)
    return None
