"""What augmentation would make of a version, before a training: pairs of rows and their copies, how many there would
be, and how much of the text the lexicon knows. Runs in the limited child."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.data import lexicon
from studio.data.augment import Filler, Growth, grown, words_of
from studio.data.split import CELL, divide
from studio.data.store import load_version, read_rows
from studio.errors import UserError
from studio.spec import Split
from studio.tasks.base import tasks

PAIRS = 8
_LOOKED_AT = 20_000
"""Rows of which the copies are really made; for more, their number is an estimate."""
_SHOWN = 240
_BY_MODEL = 24
"""Rows of which a model makes the copies."""


def previewed(job: dict[str, Any], filler: Callable[[Path], Filler] | None = None) -> dict[str, Any]:
    """{"train": rows, "rows": copies, "exact": whether counted, "pairs": [{"before", "after", "label"}], "coverage":
    share of the words that have a synonym, None for other kinds}; `filler` opens the model of kind "context".

    Raises UserError (`data_unknown`, `lexicon_gone`, what reading or loading a model raises).
    """
    version = load_version(Path(job["source"]))
    if version is None:
        raise UserError("data_unknown", version=Path(job["source"]).name)
    task, growth = tasks.get(job["task"]), Growth(**job["growth"])
    step = max(1, -(-version.rows // _LOOKED_AT))
    split = Split(**job["split"])
    rows = read_rows(version, {**job["columns"], CELL: split.column}, range(0, version.rows, step))
    usable = [row for row in rows if task.usable(row)]
    words = _words(growth.kind, job, filler)
    parts = divide(task, usable, split).parts
    train = [usable[place] for place in parts["train"]]
    held = [usable[place] for part in ("validation", "test") for place in parts[part]]
    # A model takes its time: only what is shown is made by it, and the number is what may be at most.
    few = train[:: max(1, len(train) // _BY_MODEL)][:_BY_MODEL] if growth.kind == "context" else train
    found = grown(task, few, held, growth, int(job["seed"]), words)
    part = len(train) * step / max(1, len(few))
    pairs = [
        {
            "before": task.question(few[place])[:_SHOWN],
            "after": task.question(made)[:_SHOWN],
            "label": (task.truth(made) or "")[:80],
        }
        for place, made in found[:: max(1, len(found) // PAIRS)][:PAIRS]
    ]
    covered = None
    if isinstance(words, lexicon.Lexicon):
        texts = [task.question(row) for row in train[:2000]]
        covered = words.coverage([text[start:end] for text in texts for start, end in words_of(text)])
    return {
        "train": len(train) * step,
        "rows": round(len(found) * part),
        "exact": part == 1,
        "pairs": pairs,
        "coverage": covered,
    }


def _words(kind: str, job: dict[str, Any], filler: Callable[[Path], Filler] | None) -> lexicon.Lexicon | Filler | None:
    """What the altered words are taken from."""
    if kind == "context" and filler is not None:
        return filler(Path(job["filler"]))
    if kind == "synonyms":
        place = lexicon.folder()
        if place is None:
            raise UserError("lexicon_gone", lexicon=lexicon.NAME)
        return lexicon.read(place)
    return None
