"""Measures what training steps of a model cost here, on rows of the data itself; runs in a worker's process."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from studio.hardware import Hardware
from studio.methods.base import methods
from studio.models.card import read_card
from studio.options import read_options
from studio.tasks.base import Row, tasks
from studio.training.batching import collate
from studio.training.measured import Measured
from studio.training.optimizer import build
from studio.training.options import TrainingOptions
from studio.training.precision import learning_format, number_format, width
from studio.training.settling import settle

if TYPE_CHECKING:
    import torch

_ROUNDS = 2
_LONG_ENOUGH = 2.0
"""Seconds after which one round tells enough."""
_BACKWARD_SHARE = 1.15
"""What a step holds at its peak, of what it holds between forward and backward."""


@dataclass(frozen=True)
class Wanted:
    """What to measure: a model's folder and id, task and method by key, the options by group of the plan so far, and
    rows of three lengths, the shortest first."""

    folder: str
    model: str
    task: str
    method: str
    options: dict[str, dict[str, Any]]
    groups: list[list[Row]]


class Bench:
    """The model as a run would train it, without a run."""

    def __init__(self, wanted: Wanted, machine: Hardware) -> None:
        import torch

        from studio.models.load import load_tokenizer

        torch.set_num_threads(max(1, machine.threads))
        self.device = machine.device
        self.task, self.method = tasks.get(wanted.task), methods.get(wanted.method)
        self.options, _ = read_options(TrainingOptions, "training", wanted.options.get("training", {}))
        self.about, _ = read_options(self.task.Options, "task", wanted.options.get("task", {}))
        how, _ = read_options(self.method.Options, "method", wanted.options.get("method", {}))
        folder = Path(wanted.folder)
        self.tokenizer = load_tokenizer(folder)
        every = [row for group in wanted.groups for row in group]
        self.facts = self.task.facts(every, self.about)
        if self.task.one_window:
            self.facts["windows"] = 1  # what is learnt from a row; the plan counts what else is read of it
        if prefix := read_card(folder, wanted.model).prefix:
            self.facts["prefix"] = prefix
        self.autocast = machine.precision if self.options.precision == "auto" else self.options.precision
        model = self.method.open(lambda: self.task.load(str(folder), self.facts, self.about))
        model = self.method.prepare(model, self.task.peft_type, how)
        settle(model, self.options, self.method, self.autocast)
        self.model: torch.nn.Module = model.to(torch.device(self.device))
        parts = [part for part in self.model.parameters() if part.requires_grad]
        self.optimizer = build(dataclasses.replace(self.options, learning_rate=1e-6), parts, self.device)

    def batch(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        items = self.task.encode(rows, self.tokenizer, self.facts, self.options.max_length)
        return collate(items, self.tokenizer.pad_token_id or 0, self.device, self.task.blanks)

    def read(self, batch: dict[str, torch.Tensor]) -> float:
        """Seconds of a forward pass."""
        start = time.perf_counter()
        self.model.eval()
        with number_format(self.autocast, self.device):
            self.task.read(self.model, batch, self.facts)
        self._settled()
        return time.perf_counter() - start

    def learn(self, batch: dict[str, torch.Tensor]) -> tuple[float, int]:
        """Seconds of a forward and a backward pass, and the bytes in use between them."""
        start = time.perf_counter()
        self.model.train()
        with learning_format(self.autocast, self.device, width(batch)):
            loss = self.task.loss(self.model, batch, self.about) / max(self.task.weight(batch), 1)
        self._settled()
        used = self.used()
        loss.backward()  # type: ignore[no-untyped-call]
        self._settled()
        return time.perf_counter() - start, used

    def step(self) -> float:
        """Seconds of an optimizer step."""
        start = time.perf_counter()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._settled()
        return time.perf_counter() - start

    def used(self) -> int:
        """Bytes in use: of the device where it has its own memory, else of this process."""
        if self.device.startswith("cuda"):
            import torch

            return int(torch.cuda.memory_allocated())
        return int(psutil.Process().memory_info().rss)

    def _settled(self) -> None:
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.synchronize()


def measure(wanted: Wanted, machine: Hardware) -> Measured:
    """A few steps at each length; the first round of all only warms up."""
    bench = Bench(wanted, machine)
    moving = bench.optimizer.param_groups[0]["params"]
    first = bench.batch(wanted.groups[0])
    bench.read(first)
    bench.learn(first)
    bench.step()  # now the moments are there too
    base = bench.used()
    steps: list[float] = []
    seen: dict[int, tuple[float, float, int]] = {}
    most = 0
    for rows in wanted.groups:
        batch = bench.batch(rows)
        length = int(batch["input_ids"].shape[1])
        if length in seen:
            continue  # cut to the same length
        rounds = [(bench.read(batch), *bench.learn(batch))]
        while len(rounds) < _ROUNDS and rounds[-1][1] < _LONG_ENOUGH:
            rounds.append((bench.read(batch), *bench.learn(batch)))
        steps.append(bench.step())
        # Memory that is free again may stay with the process, so a later length can only seem to hold too little.
        most = max(most, int(_BACKWARD_SHARE * (max(one[2] for one in rounds) - base) / len(rows)))
        seen[length] = (min(one[1] for one in rounds) / len(rows), min(one[0] for one in rounds) / len(rows), most)
    lengths = sorted(seen)
    return Measured(
        lengths=tuple(lengths),
        learn=tuple(seen[length][0] for length in lengths),
        read=tuple(seen[length][1] for length in lengths),
        held=tuple(seen[length][2] for length in lengths),
        step=statistics.median(steps),
        fixed=base + sum(part.numel() * 4 for part in moving),
    )
