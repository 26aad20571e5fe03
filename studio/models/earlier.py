"""A model that an earlier run made, as the base of a further one: `run:<id>`. Nothing is loaded here.

A run that continues from another makes its base in a folder of its own (`studio.inference.continuing`), so it neither
changes nor breaks when the earlier run goes on or is deleted.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.models.card import Card, read_card
from studio.workspace import Workspace, checked_id

_SOURCE = "run:"
_MOST = 50
"""Runs of a chain at most: one that names itself must not be followed for ever."""


def is_run(model_id: str) -> bool:
    """Whether a model is what an earlier run made."""
    return model_id.startswith(_SOURCE)


def id_of(run: str) -> str:
    """The model id of a run."""
    return f"{_SOURCE}{run}"


def run_folder(workspace: Workspace, model_id: str) -> Path:
    """The folder of the run. Raises UserError (`bad_id`, `base_run_gone`)."""
    run = checked_id(model_id.removeprefix(_SOURCE))
    found = next(iter(workspace.home.glob(f"*/runs/{run}")), None)
    if found is None or not (found / "model" / "studio.json").is_file():
        raise UserError("base_run_gone", run=run)
    return found


def about(workspace: Workspace, model_id: str) -> dict[str, Any]:
    """What the run wrote beside its model: task, method, base. Raises UserError (`base_run_gone`)."""
    folder = run_folder(workspace, model_id)
    try:
        raw: dict[str, Any] = json.loads((folder / "model" / "studio.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("base_run_gone", run=folder.name) from error
    return raw


def weights_folder(workspace: Workspace, model_id: str) -> Path:
    """Where weights of the model's shape lie: its own, or those below its adapter. Raises UserError
    (`base_run_gone`)."""
    folder = run_folder(workspace, model_id)
    own = folder / "model"
    below = Path(str(about(workspace, model_id).get("base_folder", "")))
    found = own if (own / "config.json").is_file() else below
    if not (found / "config.json").is_file():
        raise UserError("base_run_gone", run=folder.name)
    return found


def resolve(workspace: Workspace, model_id: str) -> Path | None:
    """`weights_folder`, or None where there is none any more: what was made of it may be there still."""
    try:
        return weights_folder(workspace, model_id)
    except UserError:
        return None


def card(workspace: Workspace, model_id: str) -> Card:
    """The card of what the run made: that of its base under the run's name. Raises UserError (`base_run_gone`)."""
    folder = weights_folder(workspace, model_id)
    below = Path(str(about(workspace, model_id).get("base_folder", "")))
    known = below if (below / "config.json").is_file() else folder
    found = read_card(known, model_id)
    return dataclasses.replace(found, title=title(workspace, model_id), note="")


def title(workspace: Workspace, model_id: str) -> str:
    """What the run is called in its own description; its id where it has no name or is gone."""
    return str(_spec(workspace, model_id).get("name") or model_id.removeprefix(_SOURCE))


def published(workspace: Workspace, model_id: str) -> dict[str, Any]:
    """What is to be written beside the weights made from the run: its base's licence, languages and prefix go on."""
    found = card(workspace, model_id)
    kept = {"id": model_id, "title": found.title, "licence": found.licence, "languages": list(found.languages)}
    return {**kept, "prefix": found.prefix}


def lineage(workspace: Workspace, model_id: str) -> list[str]:
    """Model ids from the one that everything began with to `model_id`."""
    chain = [model_id]
    while is_run(chain[0]) and len(chain) < _MOST:
        before = str(_spec(workspace, chain[0]).get("model") or "")
        if not before or before in chain:
            break
        chain.insert(0, before)
    return chain


def _spec(workspace: Workspace, model_id: str) -> dict[str, Any]:
    run = checked_id(model_id.removeprefix(_SOURCE))
    for folder in workspace.home.glob(f"*/runs/{run}"):
        try:
            return dict(json.loads((folder / "spec.json").read_text("utf-8")))
        except (OSError, ValueError):
            break
    return {}
