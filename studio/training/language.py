"""Learning the language of the data before the task: which language task fits a model, why it may not be had, and what
it costs. No torch; `studio.training.firstlanguage` does it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio.hardware import Hardware
from studio.methods.base import Method, Verdict, methods
from studio.models.card import Card
from studio.models.earlier import is_run
from studio.models.scratch import is_scratch
from studio.tasks.base import Task, tasks
from studio.training import cost
from studio.training.measured import Measured
from studio.training.options import TrainingOptions
from studio.training.rates import freezes, rates

PHASE = "language"
SHARE = 0.4
"""Of a preset's time, the most that this phase may take; the task has the rest."""
KEY = "language_first"
_TASKS = {"encoder": "masked_lm", "decoder": "causal_lm"}
_SECONDS = 5.0
"""Loading the model, saving it and letting go of it."""
_METHOD = "full"


def language_task(card: Card) -> Task | None:
    """Masked language modelling for models that read, causal for those that write; None for others."""
    key = _TASKS.get(card.kind)
    return tasks.get(key) if key else None


def language_method() -> Method:
    """All weights: what is learnt of the language becomes the base, whatever then is tuned for the task."""
    return methods.get(_METHOD)


def refused(task: Task, card: Card, hardware: Hardware) -> Verdict | None:
    """Why this task cannot be preceded by the language of its texts; None where it can."""
    spoken, code = language_task(card), ""
    if task.key in _TASKS.values():
        code = "itself"
    elif task.kind.conversational:
        code = "chat"
    elif is_scratch(card.id):
        code = "scratch"
    elif is_run(card.id):
        code = "run"
    elif spoken is None:
        code = "kind"
    else:
        verdict = language_method().supports(spoken.peft_type, card, hardware)
        return None if verdict.ok else verdict
    return Verdict(False, f"technique.language_{code}", {"title": card.title})


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt of the language: tokens a text (of a sample), how many training and validation rows there
    are, and what steps of it cost on this machine where that was measured."""

    card: Card
    hardware: Hardware
    lengths: Sequence[int]
    train: int
    validation: int
    measured: Measured | None = None

    @property
    def task(self) -> Task:
        found = language_task(self.card)
        assert found is not None, self.card.kind
        return found

    def options(self, options: TrainingOptions) -> TrainingOptions:
        """How it is trained, beside a task that is trained with `options`: batches, length and number format are the
        task's, all else is what suits language modelling. Nothing is scored on the way, the last weights are kept."""
        method = language_method()
        rate, head_rate = rates(self.task, method, self.card, self.train)
        made = TrainingOptions(
            epochs=options.language_epochs,
            learning_rate=rate,
            head_learning_rate=head_rate,
            batch_size=options.batch_size,
            max_length=options.max_length,
            evaluations=1,
            keep_best=False,
            precision=options.precision,
            gradient_checkpointing=options.gradient_checkpointing,
            checkpoint_every=options.checkpoint_every,
            freeze_embeddings="yes" if freezes(self.card, method) else "no",
        )
        return dataclasses.replace(made, micro_batch=cost.micro_batch(self._work(made), made))

    def seconds(self, options: TrainingOptions) -> float:
        """From loading the model to its weights on disk, beside a task trained with `options`."""
        own = self.options(options)
        work = self._work(own)
        learn, read = cost.row_seconds(work, own)
        scored = min(self.validation, self.task.kind.validation_rows) * 2  # before and after
        return _SECONDS + own.epochs * work.train * learn + scored * read + self._stepping(work, own)

    def memory(self, options: TrainingOptions) -> int:
        """Bytes at the peak."""
        own = self.options(options)
        return cost.memory(self._work(own), own)

    def disk(self, options: TrainingOptions) -> tuple[int, int]:
        """Bytes on disk while it lasts, and those that stay for the run's own base."""
        own = self.options(options)
        return cost.disk(self._work(own), own), 4 * self.card.parameters

    def epochs_within(self, options: TrainingOptions, preset: str, seconds: float) -> float:
        """Passes over the texts: what the preset's recipe wants, or as many as fit into `seconds`."""
        recipe = self.task.kind.recipes[preset]
        wanted = min(max(recipe.epochs * math.sqrt(400 / max(self.train, 1)), recipe.least), recipe.most)
        wanted = round(wanted * 2) / 2
        once = self.seconds(dataclasses.replace(options, language_epochs=1.0))
        none = self.seconds(dataclasses.replace(options, language_epochs=0.01))
        fits = (seconds - none) / max((once - none) / 0.99, 1e-9)
        fits = math.floor(fits * 4) / 4 if fits >= 1 else round(fits, 2)
        return float(min(wanted, max(0.05, fits)))

    def _stepping(self, work: cost.Work, own: TrainingOptions) -> float:
        return cost.steps(work, own) * cost.step_seconds(work, own)

    def _work(self, own: TrainingOptions) -> cost.Work:
        method, cut = language_method(), blocks(self.lengths, own.max_length)
        return cost.Work(
            result=self.task.result,
            card=self.card,
            method=method,
            how=method.Options(),
            lengths=cut,
            rows=self.train,
            train=max(1, round(self.train * len(cut) / max(len(self.lengths), 1))),
            validation=self.validation,
            test=0,
            hardware=self.hardware,
            measured=self.measured,
        )


def blocks(lengths: Sequence[int], most: int) -> tuple[int, ...]:
    """Lengths of the blocks that texts are read in, sorted: every token of a long text counts."""
    found: list[int] = []
    for length in lengths:
        whole, rest = divmod(max(int(length), 1), most)
        found += [most] * whole + ([rest] if rest else [])
    return tuple(sorted(found)) or (most,)
