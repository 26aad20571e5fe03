"""What the loop is given, what it hears from a validation, and how it ended. Plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from studio.tasks.base import Task
from studio.training.batching import Items, Sampler
from studio.training.checkpoints import Checkpoints
from studio.training.options import TrainingOptions
from studio.training.ranks import Ranks

if TYPE_CHECKING:
    import torch

    from studio.training.bottom import Bottom

Stop = Callable[[], "str | None"]
Progress = Callable[[int, int], None]


class Asked(Exception):
    """Raised through work that lasts when the run is asked to stop meanwhile; who began that work saves and ends."""


def interruptible(progress: Progress, should_stop: Stop) -> Progress:
    """`progress` that raises Asked on a wish to stop. "best" is no such wish: it needs what is being worked on."""

    def told(done: int, total: int) -> None:
        if should_stop() == "stop":
            raise Asked
        progress(done, total)

    return told


@dataclass(frozen=True)
class Score:
    """What one validation found: mean loss, metrics by name, the main metric, and the fixed rows as answered.

    Main metrics that differ by no more than `tie` say nothing; then the loss decides which is better.
    """

    loss: float
    metrics: dict[str, float]
    main: float
    samples: list[dict[str, Any]]
    tie: float = 0.0


class Judging(Protocol):
    """Scores the model on the validation rows, and tunes on them what the kind tunes there."""

    def __call__(self, model: torch.nn.Module) -> Score: ...

    def settled(self, model: torch.nn.Module) -> dict[str, Any]: ...


@dataclass
class Job:
    """All that the loop needs. `steps` optimizer steps in all; `micro_batch` rows computed at once; `autocast` the
    number format of the matrix products ("fp32" or "bf16"); `validate` scores the model on the validation rows."""

    task: Task
    task_options: Any
    model: torch.nn.Module
    train: Items
    options: TrainingOptions
    steps: int
    micro_batch: int
    checkpoints: Checkpoints
    validate: Judging
    seed: int
    micro_tokens: int = 0
    """How many tokens, padding included, are computed at once; 0: no bound."""
    pad_id: int = 0
    device: str = "cpu"
    autocast: str = "fp32"
    head: tuple[str, ...] = ()
    pace: Callable[[str], float] = field(default=lambda name: 1.0)
    """How many times its group's rate a parameter learns at, by name; see `Method.pace`."""
    eval_steps: frozenset[int] = frozenset()
    beside: Callable[[], None] = field(default=lambda: None)
    """Called once a step, for events that work beside the loop has ready."""
    ranks: Ranks = field(default_factory=Ranks)
    pulls: list[float] | None = None
    """How strongly each item is drawn (`Task.pulls`)."""
    setting: dict[str, Any] = field(default_factory=dict)
    """What the bits of the result depend on besides the job: libraries, threads, number format, device."""

    packs: bool = False
    """Whether short rows share one; see `studio.training.packing`."""
    bottom: Bottom | None = None
    """The layers below the first one that learns, where there are such."""

    def learning(self) -> None:
        """Put the model into training mode, as far as it learns."""
        self.model.train()
        if self.bottom is not None:
            self.bottom.still()

    def sampler(self) -> Sampler:
        """Which items make up which step."""
        return Sampler(self.train, self.options.batch_size, self.seed, self.task.one_window, self.pulls)


@dataclass
class Outcome:
    """How the loop ended: "finished", "early", "stop", "best" or "non-finite"; the last step and the best one."""

    reason: str
    step: int
    best_step: int
    best: float | None
