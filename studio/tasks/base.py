"""What a task is: declarations a screen can draw, and the few functions that only the task knows.

Importing a task imports no torch; the functions that need it import it themselves. Loops, metrics and playground
widgets are written per `result` kind, never per task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.kinds.base import Kind, kinds
from studio.problem import Problem
from studio.registry import Registry

if TYPE_CHECKING:
    import torch

    from studio.data.augment import Edit
    from studio.data.roles import Column, Suggestion

Row = Mapping[str, "str | None"]
"""One row of data by role ("text", "label"), every value text as it stood in the file."""
Rows = Sequence[Row]
Item = dict[str, Any]
"""One encoded row, or one window of a row. `input_ids`: list of int; `labels`: an int or a list of int; other lists of
int belong to tokens and are padded (by `Task.blanks`), a list of float is a vector of one length for all, and numbers
stand for themselves. `row` (int, else the item's own place) is the place of its row among those encoded together: a
long row may give several windows, one after the other. Only numbers and flat lists of them: items are kept in Arrow."""
Prediction = dict[str, Any]
"""An answer, plain JSON, by result kind. labels: {"label", "scores": {label: probability}}; chat: {"text"}; when only
scored by its own loss: {"loss": summed over tokens, "tokens": count}."""


@dataclass(frozen=True)
class Role:
    """A part a column can play. `names` are header words (lower case) by which it is guessed; where `blank`, an empty
    cell says something and is no gap."""

    key: str
    names: tuple[str, ...] = ()
    required: bool = True
    blank: bool = False


class Task(ABC):
    """A task. Words: `task.<key>.title`, `task.<key>.blurb`, `role.<task>.<role>`, `metric.<name>`."""

    key: ClassVar[str]
    order: ClassVar[int] = 100
    result: ClassVar[str]
    """The key of its result kind, see `studio/kinds`: labels, chat, ..."""
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
    truths: ClassVar[tuple[str, ...]] = ()
    """Roles that hold the truth, never given to a model; where none are named, the last role alone."""
    grouping: ClassVar[tuple[Role, ...]] = ()
    """Roles of columns that say which rows belong together and in what order; no model reads them."""
    bare: ClassVar[str] = ""
    """The role that a plain text fills; where none is named, the first."""
    draws: ClassVar[bool] = False
    """Whether the loss draws from chance: batches of the training then hold `draw`, whole numbers that follow from the
    run's seed and the step, so that a resumed run draws the same."""
    one_window: ClassVar[bool] = False
    """Whether every window of a long row teaches the row's one answer: a pass then learns from one of them, drawn anew.
    Elsewhere each window teaches what lies in it, and a pass learns from all."""
    cuts: ClassVar[bool] = True
    """Whether the end of a text longer than a model reads at once may be lost; not where all its windows count."""
    packs: ClassVar[bool] = False
    """Whether rows may stand one behind the other in the training (`studio.training.packing`): the model reads from
    left to right, and the loss is that of single tokens."""
    blanks: ClassVar[Mapping[str, int]] = {}
    """What pads the lists of an item besides `input_ids`, by name; `labels` are padded with -100, others with 0."""

    @property
    def kind(self) -> Kind:
        """The task's result kind."""
        return kinds.get(self.result)

    @property
    def truth_roles(self) -> frozenset[str]:
        """Roles that hold the truth."""
        return frozenset(self.told)

    @property
    def told(self) -> tuple[str, ...]:
        """The same in their order."""
        return self.truths or (self.roles[-1].key,)

    @property
    def asked(self) -> tuple[Role, ...]:
        """Roles that a question has, in their order."""
        return tuple(role for role in self.roles if role.key not in self.truth_roles)

    @property
    def columns(self) -> tuple[Role, ...]:
        """Every role a column can play."""
        return (*self.roles, *self.grouping)

    @property
    def bare_role(self) -> str:
        """The role that a plain text fills."""
        return self.bare or self.roles[0].key

    @property
    def models(self) -> tuple[str, ...]:
        """Kinds of models that fit, see `Kind.models`; narrower where a task of its kind needs one of them."""
        return self.kind.models

    @property
    def starter(self) -> str:
        """The starter model to suggest, see `Kind.starter`."""
        return self.kind.starter

    def knows(self, model: torch.nn.Module) -> bool:
        """Whether the base could do the task before tuning, so that its score is one; False where its weights for the
        task are drawn at random."""
        return True

    @abstractmethod
    def problems(self, rows: Rows) -> list[Problem]:
        """Everything wrong with `rows` for this task, all at once."""

    def usable(self, row: Row) -> bool:
        """Whether a row can be learnt from; others are left out and counted."""
        return all((row.get(role.key) or "").strip() for role in self.roles if role.required)

    def question(self, row: Row) -> str:
        """What the row asks, as text: simple models read it, duplicates are judged by it."""
        return row.get(self.roles[0].key) or ""

    def whole(self, row: Row) -> str:
        """All that a model reads of a row, as text: lengths are judged by it."""
        return self.question(row)

    def preview(self, row: Row) -> str:
        """The question as a card shows it."""
        return self.question(row)

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
        """What the right answer is, as text for people; None where the row has none."""
        return row.get(self.roles[-1].key)

    def expected(self, row: Row) -> Any:
        """The right answer as the kind's judge compares it (labels and chat: the same text); None without one."""
        return self.truth(row)

    def column_problems(self, chosen: Mapping[str, str]) -> list[Problem]:
        """What is wrong with the columns chosen (role -> column) besides a required one that is missing."""
        return []

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """The roles where a form is recognised that belongs to this task (columns of a profile), or a question about
        them; None for all other data. Asked before the general guess of one text and one label."""
        return None

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """What the columns could mean for this task, as further answers to a question that is asked anyway."""
        return []

    @abstractmethod
    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """What must be remembered with the model, as JSON: {"labels": [...sorted]} for labels, {} for chat."""

    @abstractmethod
    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        """The model with this task's head (seeded before the call), float32, from a folder of safetensors."""

    @abstractmethod
    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Rows to items, cut at `max_length` tokens; a row without truth is encoded without `labels`. At least one item
        a row, the items of a row one after the other."""

    @abstractmethod
    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """Loss summed (not averaged) over the batch's labelled rows or tokens, scalar float32."""

    @abstractmethod
    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        """By how much that sum is divided: labelled rows, or label tokens."""

    def pulls(self, labels: Sequence[Any], share: float) -> list[float]:
        """How strongly each item is drawn in a pass, by its `labels`, in any one unit, where rare labels shall come
        more often: from not at all (`share` 0) to equally often as common ones (1). For tasks that have the option
        `oversample`."""
        return [1.0] * len(labels)

    @abstractmethod
    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """One prediction an item of a batch, in its order, without gradients."""

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """The prediction of a row from those of its windows, in their order; with one window a row, that one."""
        return windows[0]


tasks: Registry[Task] = Registry("task", "studio.tasks")
