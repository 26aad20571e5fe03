"""The optimizer over what trains: the new head at a rate of its own, biases and norms without decay."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.training.options import TrainingOptions

if TYPE_CHECKING:
    import torch

    from studio.training.job import Job

STATE_BYTES = {"adamw": 8.0, "adamw-8bit": 2.1, "adafactor": 0.1, "sgd": 4.0}
"""Bytes of state for each number that moves: two float32 moments, the same quantised in blocks, a row and a column of
a matrix, one momentum."""
SGD_PACE = 30.0
"""How many times Adam's learning rates a plan gives plain steps, which no gradient's own size makes equally long."""
SGD_LEAST = 1e-3
"""The learning rate below which SGD hardly moves a pretrained model."""
LIBRARY = "bitsandbytes"


def lacks_library(options: TrainingOptions) -> bool:
    """Whether the chosen optimizer needs a library that is not installed. Imports nothing."""
    return options.optimizer == "adamw-8bit" and find_spec(LIBRARY) is None


def make_optimizer(job: Job, trainable: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer of a job over the parameters `trainable` by name. Raises UserError (`optimizer_missing`)."""
    return build(job.options, _groups(job, trainable), job.device)


def build(options: TrainingOptions, groups: Any, device: str) -> torch.optim.Optimizer:
    """The optimizer that `options` names, over parameters or groups of them.

    Adafactor is used with the rates of the run, not with steps of its own (`relative_step`), so that schedule and
    learning rate mean the same as for the others.
    """
    import torch

    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=options.momentum, weight_decay=decay)
    if options.optimizer == "adafactor":
        from transformers import optimization

        own = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
        made: torch.optim.Optimizer = _untyped(optimization).Adafactor(groups, lr=rate, weight_decay=decay, **own)
        return made
    if options.optimizer == "adamw-8bit":
        if lacks_library(options):
            raise UserError("optimizer_missing", library=LIBRARY)
        from bitsandbytes import optim

        eight: torch.optim.Optimizer = _untyped(optim).AdamW8bit(groups, lr=rate, weight_decay=decay)
        return eight
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=_fuses(device))


def _untyped(module: Any) -> Any:
    return module


def _groups(job: Job, trainable: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameter groups: the new head at its own rate, what the method sets apart at its pace; biases and norms (one
    dimension) without decay."""
    groups: dict[tuple[bool, bool, float], list[Any]] = {}
    for name, part in trainable.items():
        in_head = any(f".{head}." in f".{name}" for head in job.head)
        groups.setdefault((in_head, part.ndim < 2, job.pace(name)), []).append(part)
    options = job.options
    return [
        {
            "params": parts,
            "top": pace * (options.head_learning_rate if in_head else options.learning_rate),
            **({"weight_decay": 0.0} if flat else {}),
        }
        for (in_head, flat, pace), parts in sorted(groups.items(), key=lambda item: item[0])
    ]


def _fuses(device: str) -> bool:
    return device.partition(":")[0] in ("cpu", "cuda")
