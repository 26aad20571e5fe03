"""How the machine and the model are set before a run computes: threads, seeds, what is frozen and how wide it is."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.hardware import Hardware
from studio.methods.base import Method
from studio.tasks.heads import core_of
from studio.training.memory import PLAN
from studio.training.options import TrainingOptions

if TYPE_CHECKING:
    import torch


def with_kept_threads(run_dir: Path, hardware: Hardware) -> Hardware:
    """The machine with the thread count of the run's first attempt, where it still has as many cores: sums of other
    parts round otherwise, and the run would not go on bit for bit."""
    kept = run_dir / PLAN
    threads = json.loads(kept.read_text("utf-8")).get("threads", 0) if kept.is_file() else 0
    if not 0 < threads <= hardware.cores:
        return hardware
    return dataclasses.replace(hardware, threads=threads, values={**hardware.values, "threads": threads})


def settle_threads(run_dir: Path, hardware: Hardware) -> Hardware:
    """Tell torch how many threads the run computes with; returns the machine with that number."""
    import torch

    kept = with_kept_threads(run_dir, hardware)
    torch.set_num_threads(max(1, kept.threads))
    torch.set_flush_denormal(True)  # Adam's smallest moments would otherwise cost many times a normal number's time
    return kept


def settle(model: torch.nn.Module, options: TrainingOptions, method: Method, autocast: str) -> None:
    """Freeze the word table where asked, and keep a frozen base in the half-width format that it is computed in.

    What trains stays float32: rounding its small updates away is how training in bfloat16 goes wrong.
    """
    import torch

    if options.freeze_embeddings == "yes" and not method.adapter:
        model.get_input_embeddings().weight.requires_grad_(False)  # type: ignore[operator]
    for part in halved_parts(model, method, autocast):
        part.data = part.data.to(torch.bfloat16)


def halved_parts(model: torch.nn.Module, method: Method, autocast: str) -> list[torch.nn.Parameter]:
    """The frozen base below an adapter, where it is kept in bfloat16 while the adapter trains."""
    import torch

    if not method.adapter or autocast != "bf16":
        return []
    return [part for part in model.parameters() if not part.requires_grad and part.dtype == torch.float32]


def recompute(model: torch.nn.Module) -> bool:
    """Have activations computed a second time instead of kept; False for a model that cannot."""
    core = core_of(model)
    if not getattr(core, "supports_gradient_checkpointing", False):
        return False
    # The older way (reentrant) learns nothing below an adapter: inputs of a frozen base ask for no gradients.
    how = {"use_reentrant": False}
    if hasattr(core, "activation_checkpointing_enable"):
        core.activation_checkpointing_enable(how)
    else:  # transformers before it was renamed
        core.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    return True


def seed_everything(seed: int) -> None:
    """Before the model is made: the new head is drawn from these."""
    import torch

    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)
