"""What augmentation would make of a version, before a training: pairs of rows and their copies, how many there would
be, and how much of the text the lexicon knows. Runs in the limited child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.data import lexicon
from studio.data.augment import Growth, grown, words_of
from studio.data.split import CELL, divide
from studio.data.store import load_version, read_rows
from studio.errors import UserError
from studio.spec import Split
from studio.tasks.base import tasks

PAIRS = 8
_LOOKED_AT = 20_000
"""Rows of which the copies are really made; for more, their number is an estimate."""
_SHOWN = 240


def previewed(job: dict[str, Any]) -> dict[str, Any]:
    """{"train": rows, "rows": copies, "exact": whether counted, "pairs": [{"before", "after", "label"}], "coverage":
    share of the words that have a synonym, None for other kinds}.

    Raises UserError (`data_unknown`, `lexicon_gone`, what reading raises).
    """
    version = load_version(Path(job["source"]))
    if version is None:
        raise UserError("data_unknown", version=Path(job["source"]).name)
    task, growth = tasks.get(job["task"]), Growth(**job["growth"])
    step = max(1, -(-version.rows // _LOOKED_AT))
    split = Split(**job["split"])
    rows = read_rows(version, {**job["columns"], CELL: split.column}, range(0, version.rows, step))
    usable = [row for row in rows if task.usable(row)]
    words = None
    if growth.kind == "synonyms":
        place = lexicon.folder()
        if place is None:
            raise UserError("lexicon_gone", lexicon=lexicon.NAME)
        words = lexicon.read(place)
    parts = divide(task, usable, split).parts
    train = [usable[place] for place in parts["train"]]
    held = [usable[place] for part in ("validation", "test") for place in parts[part]]
    found = grown(task, train, held, growth, int(job["seed"]), words)
    pairs = [
        {
            "before": task.question(train[place])[:_SHOWN],
            "after": task.question(made)[:_SHOWN],
            "label": (task.truth(made) or "")[:80],
        }
        for place, made in found[:: max(1, len(found) // PAIRS)][:PAIRS]
    ]
    covered = None
    if words is not None:
        texts = [task.question(row) for row in train[:2000]]
        covered = words.coverage([text[start:end] for text in texts for start, end in words_of(text)])
    return {
        "train": len(train) * step, "rows": len(found) * step, "exact": step == 1, "pairs": pairs, "coverage": covered,
    }  # fmt: skip
