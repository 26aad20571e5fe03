"""What a result kind is: the shape of a task's answer, declared once, so that loops, metrics and screens need no task.

A kind is declared here without heavy imports; what judges its answers stands in `studio/evaluation/kinds`, what gives
them in `studio/inference/kinds`, what shows them in `studio/web/kinds`, each a file of the kind's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.problem import Problem
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.tasks.base import Row, Task

PRESETS = ("quick", "balanced", "thorough")


@dataclass(frozen=True)
class Recipe:
    """What a preset wants for a result kind: passes over 400 rows (fewer over more, as the root), bounds, lengths."""

    epochs: float
    least: float
    most: float
    longest: int
    evaluations: int
    patience: int


class Kind:
    """A result kind. The defaults are those of a small head on an encoder whose answers are read, not generated."""

    key: ClassVar[str]
    models: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    """Kinds of models that fit, the one to suggest first: encoder, decoder, encoder-decoder."""
    starter: ClassVar[str] = ""
    """The starter model to suggest; where empty, the encoder that reads the data's script."""
    methods: ClassVar[tuple[str, ...]] = ("full", "lora", "head")
    """Tuning methods to suggest, the most suitable first."""
    preset: ClassVar[str] = "quick"
    """The time budget to suggest (one of PRESETS): the shortest that was measured to beat the simple models."""
    simple: ClassVar[bool] = True
    """Whether there are simple models to fit beside the neural one, and runs of them alone."""
    strings: ClassVar[bool] = False
    """Whether truths are few recurring label strings: splits are stratified by them, shown rows spread over them."""
    generates: ClassVar[bool] = False
    """Whether answers are written token by token: samples at each evaluation and the report take longer."""
    before: ClassVar[bool] = False
    """Whether the base is scored before the first step: its score is the line to beat."""
    places_head: ClassVar[bool] = True
    """Whether a new head is placed before the first step, by `fit_head` of the kind's judge."""
    settles: ClassVar[bool] = False
    """Whether the kind's judge tunes facts (such as thresholds) on the validation rows when the training has ended."""
    conversational: ClassVar[bool] = False
    """Whether rows are conversations, rendered by a chat template and answered as a stream."""
    guesses: ClassVar[bool] = False
    """Whether the base before tuning can guess from the labels' names."""
    vocabulary: ClassVar[bool] = False
    """Whether each answer token is a choice among the whole vocabulary, which costs time and memory."""
    shortens: ClassVar[bool] = True
    """Whether a plan short of time may cut texts; not where what is to be learnt stands at the end."""
    tie_rows: ClassVar[float] = 0.0
    """Main metrics that so many validation rows make up are ties, which the loss decides; 0 where only equals are."""
    validation_rows: ClassVar[int] = 2000
    """At most so many validation rows are scored at each evaluation."""
    sample_seconds: ClassVar[float] = 0.0
    """Seconds that the shown answers take at each evaluation."""
    report_seconds: ClassVar[float] = 0.0
    """Seconds that answers written for the report take."""
    faulty_copies: ClassVar[int] = 0
    """Copies of the test rows with small faults in them that the report scores, too."""
    batches: ClassVar[tuple[int, int, int]] = (20_000, 16, 32)
    """Training rows below which a batch is small, the small batch, the large one."""
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "quick": Recipe(6, 2, 10, 128, 5, 3),
        "balanced": Recipe(8, 2, 12, 256, 8, 4),
        "thorough": Recipe(12, 3, 20, 512, 12, 5),
    }
    """By preset (one of PRESETS)."""
    rates: ClassVar[Mapping[str, tuple[float, float]]] = {
        "full": (1e-4, 3e-3),
        "lora": (5e-4, 5e-3),
        "head": (1e-3, 1e-2),
    }
    """By method: the learning rate of what was there before, and of a new head."""

    def names(self, truth: str) -> tuple[str, ...]:
        """The label names in one truth, for kinds with `strings`."""
        return (truth,)

    def used(self, task: Task, row: Row) -> tuple[str, ...]:
        """The names that a row's answer is made of: its labels, the types of its parts."""
        truth = task.truth(row) or ""
        return self.names(truth) if self.strings and truth.strip() else ()

    def faults(self, task: Task, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """Why a row's answer, written by hand, could not be learnt from as it was meant: (`correction.<code>`, values)
        each."""
        return []

    def problems(self, task: Task, rows: Sequence[Row], usable: Sequence[tuple[int, Row]]) -> list[Problem]:
        """What is wrong with the answers in a data set besides what the task says itself; `usable` are the rows that
        can be learnt from, with their numbers from 1."""
        return []


kinds: Registry[Kind] = Registry("kind", "studio.kinds")
