"""Several processes that train one model: which of them this one is, and what they have to agree on.

Whoever starts them says so in the usual environment (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). They
share the run's folder. The batch of a step is the run's, however many processes compute it; the first one alone tells
events, scores, saves and reports. A process by itself agrees with itself, and nothing here costs it anything.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from studio.training.batching import Numbers

if TYPE_CHECKING:
    import torch

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(days=1)
"""How long a process waits for another; one that has died is noticed at once, by its closed line."""
_STRIDE = 7919
Stop = Callable[[], "str | None"]
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """Process `rank` of `size`; `local` is its number on its machine, by which it takes its device."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        return self.rank == 0

    def device(self, name: str) -> str:
        """The accelerator of this process, where there are several of both."""
        return f"{name}:{self.local}" if name == "cuda" and self.size > 1 else name

    def heard(self, should_stop: Stop) -> Stop:
        """Between steps the first process alone hears a wish to stop, and the others follow it."""
        return should_stop if self.first else lambda: None

    def own_chance(self, seed: int) -> None:
        """From here on each process drops out other units; the first draws what it would draw alone."""
        if not self.first:
            import torch

            torch.manual_seed(seed + _STRIDE * self.rank)

    def part(self, rows: Numbers, lengths: Numbers) -> Numbers:
        """This process's rows of a batch: each gets short and long ones, so that none waits for long."""
        if self.size == 1:
            return rows
        part: Numbers = rows[np.argsort(lengths[rows], kind="stable")][self.rank :: self.size]
        return part

    def summed(self, value: float) -> float:
        """The sum over all processes."""
        return self._reduced([value], "SUM")[0]

    def most(self, value: float) -> float:
        """The greatest of all processes' values."""
        return self._reduced([value], "MAX")[0]

    def sum_gradients(self, parts: Sequence[torch.nn.Parameter], loss: float) -> float:
        """Add up all processes' gradients and losses; returns the loss. Gradients stay partial when it is not finite.

        A parameter that no process has a gradient for keeps none, as it would with one process.
        """
        if self.size == 1:
            return loss
        import torch

        total, *found = self._reduced([loss, *[float(part.grad is not None) for part in parts]], "SUM")
        learnt = [part for part, count in zip(parts, found, strict=True) if count]
        if not math.isfinite(total) or not learnt:
            return total
        gradients = [torch.zeros_like(part) if part.grad is None else part.grad for part in learnt]
        flat = torch.cat([gradient.flatten().float() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
        for part, piece in zip(learnt, pieces, strict=True):
            part.grad = piece.view_as(part).to(part.dtype)
        return total

    def same(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give all processes the first one's values."""
        if self.size > 1:
            import torch

            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), 0)

    def gathered(self, value: T) -> list[T]:
        """Every process's value, by rank."""
        if self.size == 1:
            return [value]
        import torch

        found: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(found, value)
        return found

    def by_first(self, work: Callable[[], T]) -> T:
        """What `work` gives the first process, for all; the others wait for it. What it raises is raised by all."""
        if self.size == 1:
            return work()
        import torch

        found: list[Any] = [None, None]
        if self.first:
            try:
                found[0] = work()
            except Exception as error:
                found[1] = error
        torch.distributed.broadcast_object_list(found, 0)
        if found[1] is not None:
            raise found[1]
        value: T = found[0]
        return value

    def in_turn(self, work: Callable[[], T]) -> T:
        """`work` of each process for itself, the first one before the others, who find the files that it has made."""
        if self.size == 1:
            return work()
        mine: list[T] = []
        self.by_first(lambda: mine.append(work()))
        return mine[0] if self.first else work()

    def _reduced(self, values: list[float], how: str) -> list[float]:
        if self.size == 1:
            return values
        import torch

        numbers = torch.tensor(values, dtype=torch.float64)
        torch.distributed.all_reduce(numbers, getattr(torch.distributed.ReduceOp, how))
        return [float(number) for number in numbers]


def from_environment() -> Ranks:
    """What the environment says; alone where it says nothing. Raises ValueError for what is no number."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size < 2 or any(name not in os.environ for name in ("RANK", "MASTER_ADDR", "MASTER_PORT")):
        return Ranks()
    rank = int(os.environ["RANK"])
    return Ranks(rank, size, int(os.environ.get("LOCAL_RANK", rank)))


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The processes together, for as long as the context lasts (or longer, where they were together before)."""
    found = from_environment()
    if found.size == 1:
        yield found
        return
    import torch

    mine = not torch.distributed.is_initialized()
    if mine:
        backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
        torch.distributed.init_process_group(backend, rank=found.rank, world_size=found.size, timeout=_PATIENCE)
    try:
        yield found
    finally:
        if mine:
            torch.distributed.destroy_process_group()
