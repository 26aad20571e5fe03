"""What is wrong with what a draft asks for, each as a problem with its field; a draft adds them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.data import lexicon
from studio.errors import UserError
from studio.hardware import Hardware
from studio.models import earlier
from studio.models.filling import filler_folder, fillers
from studio.problem import Problem
from studio.runs.reading import reads_text
from studio.spec import PRESETS
from studio.tasks.base import Task, tasks
from studio.training.optimizer import LIBRARY, SGD_LEAST, lacks_library
from studio.training.options import TrainingOptions
from studio.training.plan import Estimate
from studio.workspace import Workspace

CLOSE = 0.85
"""Share of the memory or the disk from which on a run is warned about."""
GROUPS = ("training", "task", "method")
"""The groups of options a spec may hold."""


def hurried(task: Task, preset: str, given: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """A preset too short for the task, unless the passes were set by hand."""
    if PRESETS.index(preset) >= PRESETS.index(task.kind.preset) or "epochs" in given.get("training", {}):
        return []
    values = {
        "task_code": f"task.{task.key}.title",
        "wanted_code": f"web.train.preset_{task.kind.preset}",
        "preset_code": f"web.train.preset_{preset}",
    }
    return [Problem("preset_short", "warning", "preset", values=values)]


def unknown_groups(given: Mapping[str, Any]) -> list[Problem]:
    """Groups of options that there are not: what they hold would be ignored."""
    return [
        Problem("option_unknown", "error", group, values={"name": group, "known": list(GROUPS)})
        for group in given
        if group not in GROUPS
    ]


def growing(workspace: Workspace, task: Task, options: TrainingOptions) -> list[Problem]:
    """Why the augmentation that was asked for cannot be."""
    if options.augment == "off":
        return []
    if not task.alterable:
        return [Problem("augment_task", "error", "training.augment", values={"task_code": f"task.{task.key}.title"})]
    if options.augment == "synonyms" and lexicon.folder() is None:
        values = {"lexicon": lexicon.NAME, "package": "wordnet-base"}
        return [Problem("augment_lexicon", "error", "training.augment", values=values)]
    if options.augment == "context":
        if not options.augment_model:
            return [Problem("augment_filler", "error", "training.augment")]
        try:
            filler_folder(workspace, options.augment_model)
        except UserError as error:
            values = {"model": options.augment_model[:120]}
            code = "augment_untaught" if error.code == "filler_untaught" else "augment_filler_gone"
            return [Problem(code, "error", "training.augment_model", values=values)]
    return []


def with_filler(workspace: Workspace, given: dict[str, dict[str, Any]]) -> None:
    """Name the model whose words augmentation takes, where it is asked for one and none was chosen: the newest run."""
    training = given.get("training", {})
    if training.get("augment") == "context" and not training.get("augment_model"):
        training["augment_model"] = next((model for model, _ in fillers(workspace)), "")


def optimizer(options: TrainingOptions, rated: bool) -> list[Problem]:
    """An optimizer that is not installed, or one whose steps would be too small to see at the rate that was set."""
    if lacks_library(options):
        values = {"library": LIBRARY}
        return [Problem("optimizer_missing", "error", "training.optimizer", values=values)]
    if rated and options.optimizer == "sgd" and options.learning_rate < SGD_LEAST:
        values = {"rate": f"{options.learning_rate:g}", "least": f"{SGD_LEAST:g}"}
        return [Problem("sgd_rate", "warning", "training.learning_rate", values=values)]
    return []


def continuing(workspace: Workspace, model: str, task: Task) -> list[Problem]:
    """Why a run cannot continue from an earlier one: the part of the model that this task needs is gone."""
    if not earlier.is_run(model):
        return []
    before = str(earlier.about(workspace, model).get("task", ""))
    if before in tasks.keys() and continues(tasks.get(before), task):
        return []
    values = {"name": earlier.title(workspace, model), "before_code": f"task.{before}.title"}
    return [Problem("continue_other_head", "error", "model", values={**values, "task_code": f"task.{task.key}.title"})]


def continues(before: Task, task: Task) -> bool:
    """Whether a model tuned for `before` holds all that `task` needs: the same kind of head, or none of the base's."""
    return before.peft_type == task.peft_type or task.auto_class == "AutoModel"


def reads_little(workspace: Workspace, texts: list[str], model: str) -> list[Problem]:
    share = reads_text(workspace, texts, model)
    if share is None or share >= 0.95:
        return []
    return [Problem("model_reads_little", "warning", "model", values={"share": round(100 * share), "model": model})]


def room(workspace: Workspace, estimate: Estimate, machine: Hardware) -> list[Problem]:
    """Whether memory and disk are enough: refused where they are not, warned about where it is close."""
    import shutil

    found = []
    for kind, wanted, free in (
        ("memory", estimate.memory_bytes, machine.usable_memory),
        ("disk", estimate.disk_bytes + 1_000_000_000, shutil.disk_usage(workspace.home).free),
    ):
        values = {"wanted": f"{wanted / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
        if wanted > free:
            found.append(Problem(f"{kind}_short", "error", "training", values=values))
        elif wanted > CLOSE * free:
            found.append(Problem(f"{kind}_tight", "warning", "training", values=values))
    return found
