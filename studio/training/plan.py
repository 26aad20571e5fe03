"""From a preset (a time budget) to options, each with its reason, and what the run will cost. No torch here.

The screen and the command line show the plan before the start; the run uses the same function, so they agree.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from studio.hardware import Decision, Hardware
from studio.kinds.base import Recipe
from studio.methods.base import Method
from studio.models.card import Card
from studio.models.scratch import is_scratch
from studio.tasks.base import Task
from studio.tasks.layers import RATE_SHARE
from studio.training import cost, language
from studio.training.measured import Measured
from studio.training.optimizer import SGD_PACE
from studio.training.options import TrainingOptions
from studio.training.rates import freezes, rates

BUDGETS = {"quick": 180.0, "balanced": 600.0, "thorough": 2700.0}
"""Seconds a preset may take, from the start of the worker to the report."""
_AIM = 0.85
"""Share of the budget that is planned with: estimates err, and neighbours take their part of the machine."""
_HEAD_EPOCHS = 5
"""A frozen encoder is computed once, so the head may see its vectors so many times more often."""
_SHORTER = ((1.0, 2.0), (0.75, 2.0), (0.5, 2.0), (0.5, 1.0), (0.35, 1.0), (0.25, 1.0))
"""What is given up first when time is short: (share of the length, fewest passes for which that is accepted)."""


class Estimate(NamedTuple):
    """Seconds from start to report, bytes of memory at the peak, bytes of disk the run folder takes."""

    seconds: float
    memory_bytes: int
    disk_bytes: int


class Plan(NamedTuple):
    """Options of the group "training", why they are so, and what they cost; of that, the seconds which learning the
    language first takes, or would take if it were asked for (None where it cannot be had)."""

    options: dict[str, Any]
    decisions: list[Decision]
    estimate: Estimate
    language: float | None = None


@dataclass(frozen=True)
class Case:
    """What is planned for. `lengths` are tokens a row (of all `rows` or of a sample), `shares` those of validation and
    test rows, `windows` how many windows of a long text are read at most, `head` what stands on an encoder (see
    `studio.tasks.layers`), `measured` what steps of this model cost on this machine, where that is known, `how` the
    method's options (None: its defaults), `language` what steps of learning the language first cost, `labels` the
    training rows of each label where there is one a row and augmentation has a cap, `context` how many
    earlier rows are read before a text, their tokens counted in `lengths`."""

    task: Task
    card: Card
    method: Method
    lengths: Sequence[int]
    hardware: Hardware
    rows: int
    shares: tuple[float, float] = (0.15, 0.15)
    windows: int = 1
    measured: Measured | None = None
    head: str = "linear"
    how: Any = None
    language: Measured | None = None
    labels: Sequence[int] = ()
    context: int = 0


def plan(
    case: Case, preset: str, chosen: Mapping[str, Any] | None = None, by_hand: frozenset[str] | None = None
) -> Plan:
    """Options for `preset` on this machine. `chosen` is kept as it is; `by_hand` says which of that a person set (None:
    all of it)."""
    task, card, method, hardware = case.task, case.card, case.method, case.hardware
    work = _work(case)
    recipe = task.kind.recipes[preset if preset in BUDGETS else "quick"]
    budget = BUDGETS.get(preset, BUDGETS["quick"])
    rate, head_rate = rates(task, method, card, work.train)
    if case.head != "linear":
        head_rate *= RATE_SHARE
    chosen = dict(chosen or {})
    if chosen.get("optimizer") == "sgd":
        rate, head_rate = SGD_PACE * rate, SGD_PACE * head_rate
    fixed = TrainingOptions(
        learning_rate=rate,
        head_learning_rate=head_rate,
        batch_size=_batch_size(task, work.train),
        evaluations=recipe.evaluations,
        patience=recipe.patience,
        precision=hardware.precision,
        freeze_embeddings="yes" if freezes(card, method) else "no",
    )
    fixed = dataclasses.replace(fixed, **{name: value for name, value in chosen.items() if name in _NAMES})
    lesson, room = _lesson(case, work), budget * _AIM
    if lesson:
        fixed, room = _shared(
            lesson, fixed, preset, room, int(chosen.get("max_length", _longest(work, recipe))), chosen
        )
    epochs, length, wanted = _fit(work, fixed, recipe, chosen, room)
    passed = epochs * cost.learnt(work, fixed)
    if "evaluations" not in chosen and fixed.evaluations > (most := _evaluations_within(work, passed, length)):
        fixed = dataclasses.replace(fixed, evaluations=most)
        epochs, length, wanted = _fit(work, fixed, recipe, chosen, room)
    options = dataclasses.replace(fixed, epochs=epochs, max_length=length)
    micro = options.micro_batch or cost.micro_batch(work, options)
    options = dataclasses.replace(options, micro_batch=micro)
    decisions = _decisions(work, options, wanted, preset, set(chosen) if by_hand is None else set(by_hand))
    estimate = Estimate(cost.seconds(work, options), cost.memory(work, options), cost.disk(work, options))
    if lesson and options.language_first:
        estimate, decisions = _with_lesson(lesson, options, estimate, decisions, chosen, by_hand)
    return Plan(dataclasses.asdict(options), decisions, estimate, lesson.seconds(options) if lesson else None)


def _lesson(case: Case, work: cost.Work) -> language.Lesson | None:
    """What learning the language first would be; None where it cannot be had."""
    if language.refused(case.task, case.card, case.hardware):
        return None
    return language.Lesson(case.card, case.hardware, work.lengths, work.train, work.validation, case.language)


def _shared(
    lesson: language.Lesson,
    fixed: TrainingOptions,
    preset: str,
    seconds: float,
    length: int,
    chosen: Mapping[str, Any],
) -> tuple[TrainingOptions, float]:
    """The options with the passes over the texts, and the seconds that are left to the task."""
    made = dataclasses.replace(fixed, max_length=length)
    if "language_epochs" not in chosen:
        most = lesson.epochs_within(made, preset if preset in BUDGETS else "quick", language.SHARE * seconds)
        fixed, made = (dataclasses.replace(one, language_epochs=most) for one in (fixed, made))
    if not fixed.language_first:
        return fixed, seconds
    # Who wants more passes by hand gets them; the task is not starved for it.
    return fixed, max(seconds - lesson.seconds(made), (1 - language.SHARE) * seconds)


def _with_lesson(
    lesson: language.Lesson,
    options: TrainingOptions,
    estimate: Estimate,
    decisions: list[Decision],
    chosen: Mapping[str, Any],
    by_hand: frozenset[str] | None,
) -> tuple[Estimate, list[Decision]]:
    """The estimate and the decisions of a run that learns the language first."""
    took, (during, stays) = lesson.seconds(options), lesson.disk(options)
    memory = max(estimate.memory_bytes, lesson.memory(options))
    whole = Estimate(estimate.seconds + took, memory, max(during, estimate.disk_bytes) + stays)
    values = {"seconds": round(took), "percent": round(100 * took / max(whole.seconds, 1)), "rows": lesson.train}
    hand = "language_epochs" in (set(chosen) if by_hand is None else by_hand)
    reason = "reason.chosen" if hand else "reason.language"
    return whole, [*decisions, Decision("language_epochs", options.language_epochs, reason, values)]


_NAMES = {item.name for item in dataclasses.fields(TrainingOptions)}


def plan_simple(rows: int, hardware: Hardware) -> Plan:
    """The plan of a run without a neural model: counting words takes seconds."""
    return Plan(
        {},
        [],
        Estimate(3.0 + min(rows, cost.BASELINE_ROWS) * cost.BASELINE_SECONDS, 400_000_000, 5_000_000 + 2_000 * rows),
    )


def _work(case: Case) -> cost.Work:
    known = sorted(int(length) for length in case.lengths) or [32]
    how = case.method.Options() if case.how is None else case.how
    return cost.Work(
        result=case.task.result,
        card=case.card,
        method=case.method,
        how=how,
        lengths=tuple(known),
        rows=case.rows,
        train=max(1, round(case.rows * (1 - sum(case.shares)))),
        validation=round(case.rows * case.shares[0]),
        test=round(case.rows * case.shares[1]),
        hardware=case.hardware,
        measured=case.measured,
        below=0.0 if case.task.draws else case.method.below(case.card, how),
        alterable=bool(case.task.alterable),
        labels=tuple(case.labels),
        windows=1 if case.context else case.windows,
        context=case.context,
    )


def _batch_size(task: Task, train: int) -> int:
    """Small sets need many small steps, large ones afford steadier gradients."""
    bound, small, large = task.kind.batches
    return small if train < bound else large


def _fit(
    work: cost.Work, options: TrainingOptions, recipe: Recipe, chosen: Mapping[str, Any], seconds: float
) -> tuple[float, int, float]:
    """Epochs and length that fit into `seconds`, and the epochs the recipe wanted. What was chosen by hand stays."""
    bound, longest = work.card.max_positions or 1 << 30, _longest(work, recipe)
    wanted = min(max(recipe.epochs * math.sqrt(400 / work.train), recipe.least), recipe.most)
    if work.method.encoder_fixed:
        wanted *= _HEAD_EPOCHS
    if is_scratch(work.card.id):
        wanted = recipe.most  # all it will ever know it learns here
    wanted = float(chosen.get("epochs", round(wanted * 2) / 2))
    choices = [(int(longest * share), least) for share, least in _SHORTER if longest * share >= 32 or share == 1.0]
    if "max_length" in chosen:
        choices = [(min(int(chosen["max_length"]), bound), 0.0)]
    elif not work.kind.shortens:
        choices = choices[:1]  # the answer stands at the end: cutting takes away what is to be learnt
    epochs, length = wanted, choices[0][0]
    for length, least in choices:
        trial = dataclasses.replace(options, epochs=wanted, max_length=length)
        if "epochs" in chosen or cost.seconds(work, trial) <= seconds:
            return wanted, length, wanted
        epochs = _epochs_within(work, trial, wanted, seconds)
        if epochs >= min(least, wanted):
            break
    return epochs, length, wanted


def _longest(work: cost.Work, recipe: Recipe) -> int:
    """Tokens a row that suffice for nearly all rows, within what recipe and model read."""
    return min(recipe.longest, work.card.max_positions or 1 << 30, _rounded(_quantile(work.lengths, 0.99)))


def _evaluations_within(work: cost.Work, passed: float, length: int) -> int:
    """The most evaluations that take no more than about a fifth of the time for `passed` rows, at least two."""
    scored = min(work.validation, work.kind.validation_rows) * cost.windows_a_row(work, length)
    if work.method.encoder_fixed:
        return 100  # the vectors of a frozen encoder are there already
    return max(2, int(0.6 * passed / max(scored, 1)))


def _epochs_within(work: cost.Work, options: TrainingOptions, wanted: float, seconds: float) -> float:
    """The most epochs, in quarters, predicted to end within `seconds`; below one, a share of an epoch."""
    once = cost.seconds(work, dataclasses.replace(options, epochs=1.0))
    none = cost.seconds(work, dataclasses.replace(options, epochs=0.01))
    each = max((once - none) / 0.99, 1e-9)
    epochs = (seconds - none) / each
    epochs = math.floor(epochs * 4) / 4 if epochs >= 1 else round(epochs, 2)
    return min(wanted, max(0.05, epochs))


def _quantile(lengths: Sequence[int], share: float) -> int:
    return lengths[min(len(lengths) - 1, int(share * len(lengths)))]


def _rounded(length: int) -> int:
    """Up to a multiple of 8, the width that matrix units like."""
    return max(16, -(-length // 8) * 8)


def _cut_how(work: cost.Work) -> str:
    """What becomes of a row that is too long: its earlier rows, its windows, or its end is what is given up."""
    return "context" if work.context else "windows" if work.windows > 1 else "cut"


def _decisions(
    work: cost.Work, options: TrainingOptions, wanted: float, preset: str, chosen: set[str]
) -> list[Decision]:
    """One decision an option the plan set, with the numbers behind it."""
    cut = sum(length > options.max_length for length in work.lengths) / len(work.lengths)
    fewer = options.epochs < wanted
    steps = cost.steps(work, options)
    about: dict[str, tuple[str, dict[str, Any]]] = {
        "epochs": (
            "epochs_budget" if fewer else "epochs_rows",
            {
                "epochs": options.epochs,
                "wanted": wanted,
                "rows": cost.learnt(work, options),
                "steps": steps,
                "minutes": int(BUDGETS.get(preset, BUDGETS["quick"]) // 60),
            },
        ),
        "max_length": (
            f"length_{_cut_how(work) if cut >= 0.001 else 'whole'}",
            {
                "tokens": options.max_length,
                "percent": round(100 * cut, 1),
                "longest": work.lengths[-1],
                "windows": work.windows,
            },
        ),
        "batch_size": ("batch", {"rows": options.batch_size, "steps": steps}),
        "learning_rate": (
            f"rate_{work.method.rates_of}",
            {"rate": options.learning_rate, "head": options.head_learning_rate},
        ),
    }
    if options.micro_batch < options.batch_size:
        about["micro_batch"] = ("micro", {"rows": options.batch_size, "micro": options.micro_batch})
    if not work.method.adapter and options.freeze_embeddings == "yes":
        share = round(100 * work.card.embedding_parameters / max(work.card.parameters, 1))
        about["freeze_embeddings"] = ("freeze", {"percent": share})
    return [
        Decision(name, getattr(options, name), "reason.chosen" if name in chosen else f"reason.{code}", values)
        for name, (code, values) in about.items()
    ]
