"""The check a person runs on a new machine: device, number format, memory, disk, and one small LoRA step.

It imports torch into the process that calls it: the command line's, never the web's.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

from studio import hardware, machine
from studio.errors import UserError
from studio.runs.worker import versions
from studio.workspace import Workspace

ROOM = 5_000_000_000
"""Bytes of disk and of memory below which the doctor warns."""
TOLERANCE = 0.02
"""By how much the loss on the accelerator may differ from that on the CPU, relative."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `code` names the sentence, `ok` is False where training will not work."""

    name: str
    ok: bool
    code: str
    values: dict[str, Any] = field(default_factory=dict)


def examine(workspace: Workspace) -> Iterator[Finding]:
    """Every check in turn; one that raises is a finding, not an end."""
    for check in (_libraries, _hardware, _memory, _disk, _lora_step, _accelerator):
        try:
            yield from check(workspace)
        except UserError as error:
            yield Finding(check.__name__.strip("_"), False, f"error.{error.code}", error.values)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            yield Finding(check.__name__.strip("_"), False, "doctor.broken", {"reason": reason})


def _libraries(workspace: Workspace) -> Iterator[Finding]:
    found = versions()
    listed = [f"{name} {version}" for name, version in found.items()]
    yield Finding("libraries", True, "doctor.libraries", {"listed": listed, **found})


def _hardware(workspace: Workspace) -> Iterator[Finding]:
    for decision in hardware.read_or_probe(workspace).decisions():
        yield Finding(decision.name, True, decision.reason, {**decision.values, "value": decision.value})


def _memory(workspace: Workspace) -> Iterator[Finding]:
    free = int(psutil.virtual_memory().available)
    total = machine.available_memory()
    values = {"free": f"{free / 1e9:.1f}", "total": f"{total / 1e9:.1f}"}
    yield Finding("memory", True, "doctor.memory" if free > ROOM else "doctor.memory_tight", values)


def _disk(workspace: Workspace) -> Iterator[Finding]:
    free = shutil.disk_usage(workspace.home).free
    values = {"free": f"{free / 1e9:.1f}", "path": str(workspace.home)}
    yield Finding("disk", free > ROOM / 10, "doctor.disk" if free > ROOM else "doctor.disk_tight", values)


def _lora_step(workspace: Workspace) -> Iterator[Finding]:
    began = time.monotonic()
    before, after = lora_losses("cpu")
    values = {"before": f"{before:.3f}", "after": f"{after:.3f}", "seconds": f"{time.monotonic() - began:.1f}"}
    good = math.isfinite(after) and after < before
    yield Finding("lora", good, "doctor.lora" if good else "doctor.lora_wrong", values)


def _accelerator(workspace: Workspace) -> Iterator[Finding]:
    device = hardware.read_or_probe(workspace).device
    if device == "cpu":
        return
    ours, theirs = lora_losses("cpu")[0], lora_losses(device)[0]
    values = {"device": device, "cpu": f"{ours:.4f}", "gpu": f"{theirs:.4f}"}
    good = abs(ours - theirs) <= TOLERANCE * abs(ours)
    yield Finding("accelerator", good, "doctor.same_loss" if good else "doctor.other_loss", values)


def lora_losses(device: str, steps: int = 3) -> tuple[float, float]:
    """Loss of a tiny random model on one batch before and after a few LoRA steps on `device`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from studio.methods.base import methods

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(13)
        config = LlamaConfig(
            vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        )
        method = methods.get("lora")
        model = method.prepare(LlamaForCausalLM(config), "CAUSAL_LM", method.Options(dropout=0.0)).to(device).train()
        batch = torch.randint(0, 64, (4, 16)).to(device)
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=0.01)

    losses = []
    for _ in range(steps):
        loss = model(input_ids=batch, labels=batch).loss
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        losses.append(float(model(input_ids=batch, labels=batch).loss))
    return losses[0], losses[-1]
