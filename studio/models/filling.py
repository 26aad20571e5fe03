"""Which models can fill a hidden word, and so make further training rows: finished masked language modelling runs, and
models on this machine whose own head for it was trained. Headers and descriptions are read, no weights."""

from __future__ import annotations

import json
from pathlib import Path

from studio.errors import UserError
from studio.models import earlier
from studio.models.catalogue import list_models, resolve
from studio.models.rules import shapes, weight_files
from studio.workspace import Workspace

TASK = "masked_lm"
_HEADS = ("cls.predictions.", "lm_head.", "lm_predictions.", "vocab_", "predictions.", "generator_lm_head.", "decoder.")
"""With these begin the names of tensors that foretell hidden words, by family of encoders."""


def fillers(workspace: Workspace) -> list[tuple[str, str]]:
    """(model id, title) of every model that can fill words here: runs, the newest first, then models on disk."""
    runs = sorted(workspace.home.glob("*/runs/*/model/studio.json"), key=lambda file: -file.stat().st_mtime)
    found = []
    for file in runs:
        model = earlier.id_of(file.parents[1].name)
        if _is_filler_run(file):
            found.append((model, earlier.title(workspace, model)))
    for card in list_models(workspace):
        if card.on_disk and card.folder is not None and card.kind == "encoder" and _has_head(Path(card.folder)):
            found.append((card.id, card.title))
    return found


def filler_folder(workspace: Workspace, model: str) -> Path:
    """The folder of a model that fills words: a run's own, or that of the weights.

    Raises UserError (`filler_gone`) for one that is not here, (`filler_untaught`) for one that never learnt it.
    """
    try:
        place = earlier.run_folder(workspace, model) if earlier.is_run(model) else resolve(workspace, model)
    except UserError as error:
        raise UserError("filler_gone", model=model) from error
    if place is None:
        raise UserError("filler_gone", model=model)
    taught = _is_filler_run(place / "model" / "studio.json") if earlier.is_run(model) else _has_head(place)
    if not taught:
        raise UserError("filler_untaught", model=model)
    return place


def _is_filler_run(file: Path) -> bool:
    try:
        return bool(json.loads(file.read_text("utf-8"))["task"] == TASK)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _has_head(folder: Path) -> bool:
    """Whether the files hold a head that was trained to foretell hidden words."""
    try:
        return any(name.startswith(_HEADS) for name in shapes(weight_files(folder)))
    except UserError:
        return False
