"""The base of a run that continues from an earlier one: what that one made, as a plain model in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.files import system_errors
from studio.inference.predictor import Predictor, read_saved
from studio.methods.base import methods
from studio.models import earlier
from studio.models.card import CARD_FILE
from studio.tasks.base import Task
from studio.tasks.heads import core_of, quietly
from studio.workspace import Workspace

if TYPE_CHECKING:
    import torch

EARLIER = "earlier.json"
"""Beside the base: task and facts of the run that it comes from."""
_ALIKE = ("labels", "types")
"""Facts that say what each output of a head stands for."""


def bring(workspace: Workspace, model_id: str, folder: Path) -> Path:
    """`folder` holds the earlier run's model, merged, with its tokenizer and head; made once, whole or not at all.

    Raises UserError (`base_run_gone`, `model_unreadable`, `base_gone`) and OSError.
    """
    if (folder / EARLIER).is_file():
        return folder
    run_dir = earlier.run_folder(workspace, model_id)
    about, facts = read_saved(run_dir)
    unfinished = folder.with_name(f"{folder.name}.new")
    for left in (unfinished, folder):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    with system_errors(unfinished):
        if methods.get(str(about["method"])).adapter:
            _merged(run_dir, unfinished)
        else:
            _linked(run_dir / "model", unfinished)
        published = json.dumps(earlier.published(workspace, model_id), ensure_ascii=False, indent=2)
        (unfinished / CARD_FILE).write_text(published, "utf-8")
        told = {"run": run_dir.name, "task": about["task"], "facts": facts}
        (unfinished / EARLIER).write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    os.rename(unfinished, folder)
    return folder


def _merged(run_dir: Path, folder: Path) -> None:
    tuned = Predictor.load(run_dir)
    core = core_of(methods.get(str(tuned.about["method"])).merged(tuned.model))
    quietly(lambda: core.save_pretrained(folder))
    tuned.tokenizer.save_pretrained(folder)


def _linked(model: Path, folder: Path) -> None:
    """A whole model is there already, and never changed in place: the same files under a further name take no room."""
    for file in model.iterdir():
        if file.is_file() and file.name not in ("studio.json", "facts.json", CARD_FILE):
            try:
                os.link(file, folder / file.name)
            except OSError:  # another disk, or one that knows no links
                shutil.copy(file, folder / file.name)


def inherit(model: torch.nn.Module, task: Task, facts: Mapping[str, Any], base: Path) -> bool:
    """Give a new head what the earlier run's had learnt; False where there is none for this task and these labels."""
    told = base / EARLIER
    if not told.is_file() or not task.head:
        return False
    before = json.loads(told.read_text("utf-8"))
    if before["task"] != task.key or any(before["facts"].get(name) != facts.get(name) for name in _ALIKE):
        return False
    import torch
    from safetensors.torch import load_file

    from studio.models.rules import weight_files

    heads = tuple(f"{name}." for name in task.head)
    own = {name: part for name, part in model.named_parameters() if name.startswith(heads)}
    saved: dict[str, torch.Tensor] = {}
    for file in weight_files(base):
        saved |= {name: part for name, part in load_file(file).items() if name in own}
    if set(saved) != set(own) or any(saved[name].shape != part.shape for name, part in own.items()):
        return False
    with torch.no_grad():
        for name, part in own.items():
            part.copy_(saved[name])
    return True
