"""Writes the finished model as a folder, and proves that what was written answers like what was trained."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.kinds.base import judges
from studio.files import system_errors, to_disk
from studio.methods.base import Method
from studio.spec import Spec
from studio.tasks.base import Item, Task
from studio.training.assemble import Assembled, as_options
from studio.training.batching import collate
from studio.training.precision import number_format
from studio.training.settling import halved_parts

if TYPE_CHECKING:
    import torch

FORMAT = 1
CHECKED_ROWS = 16
_TOLERANCE = {"fp32": 1e-3, "bf16": 0.01}


def save_model(run_dir: Path, spec: Spec, found: Assembled, base: Path) -> Path:
    """model/: what the method saves, the tokenizer, facts.json and studio.json; there whole or not at all."""
    folder, unfinished, old = run_dir / "model", run_dir / "model.new", run_dir / "model.old"
    for left in (unfinished, old):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with system_errors(unfinished):
        found.method.save(found.model, str(unfinished))
        found.tokenizer.save_pretrained(str(unfinished))
    (unfinished / "facts.json").write_text(json.dumps(found.facts, ensure_ascii=False, indent=1), "utf-8")
    about = {
        "format": FORMAT,
        "task": spec.task,
        "method": spec.method,
        "base": spec.model,
        "base_folder": str(base),
        "columns": spec.columns,
        "max_length": found.options.max_length,
        "precision": found.autocast,
        "options": {**spec.options, "training": as_options(found.options)},
    }
    (unfinished / "studio.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
    for file in unfinished.rglob("*"):
        if file.is_file():
            to_disk(file)
    to_disk(unfinished)
    if folder.exists():
        os.rename(folder, old)
    os.rename(unfinished, folder)
    to_disk(run_dir)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def answers(
    task: Task, model: torch.nn.Module, items: Sequence[Item], pad_id: int, facts: dict[str, Any]
) -> list[float]:
    """Numbers by which two models are compared, as the kind's judge takes them from its answers."""
    judge = judges.get(task.result)
    model.eval()
    device = str(next(model.parameters()).device)
    found: list[float] = []
    for item in items:
        found += judge.numbers(task.read(model, collate([item], pad_id, device, task.blanks), facts)[0])
    return found


@contextlib.contextmanager
def as_trained(model: torch.nn.Module, method: Method, precision: str) -> Iterator[None]:
    """A reloaded model in the number format of its training, and as it was afterwards.

    What is saved is compared in the format it was trained in: a model that is used in another rounds otherwise, and
    the difference would say nothing about what was saved.
    """
    import torch

    before = [(part, part.data) for part in halved_parts(model, method, precision)]
    try:
        for part, kept in before:
            part.data = kept.to(torch.bfloat16)
        with number_format(precision, str(next(model.parameters()).device)):
            yield
    finally:
        for part, kept in before:
            part.data = kept


def check_reloaded(before: Sequence[float], after: Sequence[float], precision: str) -> float:
    """The largest difference between the trained and the reloaded model.

    Raises UserError (`reload_differs`) when it is more than rounding: a head that was not saved, a wrong base.
    """
    gap = max((abs(left - right) for left, right in zip(before, after, strict=True)), default=0.0)
    allowed = _TOLERANCE.get(precision, 1e-3)
    if not math.isfinite(gap) or gap > allowed:
        raise UserError("reload_differs", gap=f"{gap:.4f}", allowed=allowed)
    return gap
