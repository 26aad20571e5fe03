"""What a task is: declarations a screen can draw, and the few functions that only the task knows.

Importing a task imports no torch; the functions that need it import it themselves. Loops, metrics and playground
widgets are written per `result` kind, never per task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.problem import Problem
from studio.registry import Registry

if TYPE_CHECKING:
    import torch

    from studio.data.augment import Edit

Row = Mapping[str, "str | None"]
"""One row of data by role ("text", "label"), every value text as it stood in the file."""
Rows = Sequence[Row]
Item = dict[str, Any]
"""One encoded row: `input_ids` (list of int) and what the task's loss needs (`labels`: an int or a list of int)."""
Prediction = dict[str, Any]
"""An answer by result kind. labels: {"label", "scores": {label: probability}}; chat: {"text"}; when only scored
by its own loss: {"loss": summed over tokens, "tokens": count}."""


@dataclass(frozen=True)
class Role:
    """A part a column can play. `names` are header words (lower case) by which it is guessed."""

    key: str
    names: tuple[str, ...] = ()
    required: bool = True


class Task(ABC):
    """A task. Words: `task.<key>.title`, `task.<key>.blurb`, `role.<task>.<role>`, `metric.<name>`."""

    key: ClassVar[str]
    order: ClassVar[int] = 100
    result: ClassVar[str]
    """labels, tags, span, text, chat, score or tokens."""
    auto_class: ClassVar[str]
    peft_type: ClassVar[str]
    main_metric: ClassVar[str]
    lower_is_better: ClassVar[bool] = False
    roles: ClassVar[tuple[Role, ...]]
    Options: ClassVar[type]
    """A dataclass of `studio.options.option` fields; group "task"."""
    alterable: ClassVar[tuple[str, ...]] = ()
    """Roles whose text says the same with a few words altered: augmentation may make further training rows of it."""
    head: ClassVar[tuple[str, ...]] = ()
    """Names of the modules made new for the task: they learn at a rate of their own."""

    @abstractmethod
    def problems(self, rows: Rows) -> list[Problem]:
        """Everything wrong with `rows` for this task, all at once."""

    def usable(self, row: Row) -> bool:
        """Whether a row can be learnt from; others are left out and counted."""
        return all((row.get(role.key) or "").strip() for role in self.roles if role.required)

    def question(self, row: Row) -> str:
        """What the row asks, as text: simple models read it, duplicates are judged by it."""
        return row.get(self.roles[0].key) or ""

    def ties(self, row: Row) -> list[str]:
        """Texts that keep rows in one part of the split: rows that share any of them, letter case and spaces aside,
        are never divided. The row's own text comes first."""
        return [self.question(row)]

    def altered(self, row: Row, edit: Edit) -> Row | None:
        """A copy of the row with its alterable texts edited, or None where that changed nothing. A task whose answer
        counts characters of a text hands those spans to `edit` and takes them back moved."""
        made = dict(row)
        for role in self.alterable:
            made[role] = edit(row[role] or "", ())[0] if row.get(role) else row.get(role)
        return made if made != dict(row) else None

    def truth(self, row: Row) -> str | None:
        """What the right answer is, as text."""
        return row.get(self.roles[-1].key)

    @abstractmethod
    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """What must be remembered with the model, as JSON: {"labels": [...sorted]} for labels, {} for chat."""

    @abstractmethod
    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        """The model with this task's head (seeded before the call), float32, from a folder of safetensors."""

    @abstractmethod
    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Rows to items, cut at `max_length` tokens; a row without truth is encoded without `labels`."""

    @abstractmethod
    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """Loss summed (not averaged) over the batch's labelled rows or tokens, scalar float32."""

    @abstractmethod
    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        """By how much that sum is divided: labelled rows, or label tokens."""

    @abstractmethod
    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """One prediction a row of a batch, in its order, without gradients."""


tasks: Registry[Task] = Registry("task", "studio.tasks")
