"""AdamW over what trains: the new head at a rate of its own, biases and norms without decay, fused where it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.training.job import Job

if TYPE_CHECKING:
    import torch


def make_optimizer(job: Job, trainable: Mapping[str, Any]) -> torch.optim.AdamW:
    """The optimizer of a job over the parameters `trainable` by name."""
    import torch

    return torch.optim.AdamW(
        _groups(job, trainable),
        lr=job.options.learning_rate,
        weight_decay=job.options.weight_decay,
        fused=_fuses(job.device),
    )


def _groups(job: Job, trainable: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameter groups: the new head at its own rate; biases and norms (one dimension) without decay."""
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for name, part in trainable.items():
        in_head = any(f".{head}." in f".{name}" for head in job.head)
        groups.setdefault((in_head, part.ndim < 2), []).append(part)
    options = job.options
    return [
        {
            "params": parts,
            "top": options.head_learning_rate if in_head else options.learning_rate,
            **({"weight_decay": 0.0} if flat else {}),
        }
        for (in_head, flat), parts in sorted(groups.items())
    ]


def _fuses(device: str) -> bool:
    return device.partition(":")[0] in ("cpu", "cuda")
