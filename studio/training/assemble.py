"""Puts a run together: the plan's options, encoded items, the seeded model with its method."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data.augment import label_sizes
from studio.errors import UserError
from studio.events import Caution, Note
from studio.files import write_whole
from studio.hardware import Decision
from studio.inference.continuing import inherit
from studio.methods.base import Method, methods
from studio.models.card import Card, read_card
from studio.models.scratch import is_scratch, make
from studio.options import read_options
from studio.problem import Problem
from studio.spec import Spec
from studio.tasks.base import Row, Task, tasks
from studio.tasks.earlier import EARLIER
from studio.training.augmented import further_rows
from studio.training.batching import Items
from studio.training.encoding import Coder, labelled
from studio.training.memory import PLAN, Fit, current
from studio.training.options import TrainingOptions
from studio.training.plan import Case, plan
from studio.training.rows import Inputs, Table, scored_places
from studio.training.settling import recompute, seed_everything, settle

if TYPE_CHECKING:
    import torch

_LENGTH_SAMPLE = 2000
_WHOLE = 1 << 20
"""More tokens than any row has: lengths are counted uncut."""
_LENGTHENING = ("language_first", "augment", "augment_copies", "augment_most")
"""Options of which a plan makes others: with more to do in the same time there are fewer passes."""
SCRATCH_BASE = "base"
"""Where in its folder a run keeps the model it made from scratch."""


@dataclass
class Assembled:
    """Everything the loop needs of a run."""

    task: Task
    method: Method
    card: Card
    tokenizer: Any
    facts: dict[str, Any]
    options: TrainingOptions
    fit: Fit
    task_options: Any
    method_options: Any
    decisions: list[Decision]
    model: torch.nn.Module
    train: Items
    validation: Items
    validation_rows: list[Row]
    validation_numbers: list[int]
    autocast: str
    device: str
    continued: bool
    """Whether the head goes on from where an earlier run had brought it."""
    again: bool
    """Whether an earlier attempt has planned this run."""
    notes: list[Note | Caution] = field(default_factory=list)


@dataclass(frozen=True)
class Ground:
    """What a run stands on before any weights are loaded."""

    base: Path
    card: Card
    tokenizer: Any
    facts: dict[str, Any]
    task_options: Any
    options: TrainingOptions
    decisions: list[Decision]


def ground(run_dir: Path, spec: Spec, inputs: Inputs, table: Table) -> Ground:
    """The base, what is known of it and of the rows, and the plan, which is kept. Raises UserError."""
    from studio.models.load import load_tokenizer

    if inputs.model is None:
        raise UserError("model_needed", method=spec.method)
    task, method = tasks.get(spec.task), methods.get(spec.method)
    base = _made(run_dir, task, table, spec.seed) if is_scratch(spec.model) else inputs.model
    card = read_card(base, spec.model)
    tokenizer = load_tokenizer(base)
    task_options = _checked(task.Options, "task", spec)
    facts = task.facts(table.part("train"), task_options)
    if card.prefix:
        facts["prefix"] = card.prefix
    options, decisions = _options(run_dir, spec, inputs, table, task, method, card, tokenizer, facts)
    return Ground(base, card, tokenizer, facts, task_options, options, decisions)


def assemble(
    run_dir: Path,
    spec: Spec,
    inputs: Inputs,
    table: Table,
    progress: Callable[[int, int], None],
    again: bool | None = None,
) -> Assembled:
    """Tokenise, plan, load the seeded model and prepare it.

    `progress` is told (rows done, rows in all) while tokenising; `again` says whether an earlier attempt had begun the
    task (None: where one had planned it). Raises UserError for options out of bounds, for rows that lose all they
    teach at this length, and what loading the model raises.
    """
    import torch

    task, method = tasks.get(spec.task), methods.get(spec.method)
    again = (run_dir / PLAN).is_file() if again is None else again
    below = ground(run_dir, spec, inputs, table)
    base, card, tokenizer, facts = below.base, below.card, below.tokenizer, below.facts
    task_options, options, decisions = below.task_options, below.options, below.decisions
    method_options = _checked(method.Options, "method", spec)
    coder = Coder(run_dir, spec, base, task, tokenizer, facts, options.max_length, progress)
    more = further_rows(task, table, options, spec.seed, inputs.filler, run_dir)
    train, validation, places, notes = _encoded(coder, task, table, options, spec.seed, more)
    seed_everything(spec.seed)
    model = method.open(lambda: task.load(str(base), facts, task_options))
    continued = inherit(model, task, facts, base)
    if not task.knows(model):
        facts["untaught"] = True
        notes.append(Note("timeline.base_untaught", {"model": card.title}))
    model = method.prepare(model, task.peft_type, method_options)
    device = inputs.hardware.device
    autocast = inputs.hardware.precision if options.precision == "auto" else options.precision
    settle(model, options, method, autocast)
    model = model.to(torch.device(device))
    fit = current(run_dir, options)
    if fit.gradient_checkpointing and not recompute(model):
        notes.append(Caution("timeline.recompute_unknown", {"model": card.title}))
    return Assembled(
        task=task,
        method=method,
        card=card,
        tokenizer=tokenizer,
        facts=facts,
        options=options,
        fit=fit,
        task_options=task_options,
        method_options=method_options,
        decisions=[*inputs.hardware.decisions(), *decisions],
        model=model,
        train=train,
        validation=validation,
        validation_rows=[table.rows[place] for place in places],
        validation_numbers=[table.numbers[place] for place in places],
        autocast=autocast,
        device=device,
        continued=continued,
        again=again,
        notes=notes,
    )


def _encoded(
    coder: Coder, task: Task, table: Table, options: TrainingOptions, seed: int, more: list[Row]
) -> tuple[Items, Items, list[int], list[Note | Caution]]:
    """Training rows, `more` of them besides those of the table, and validation rows as the model reads them, the
    places of the latter in the table, and what to tell.

    Raises UserError (`answers_all_cut`) where nothing is left to learn or to score.
    """
    places = scored_places(table.split["validation"], task, seed)
    notes: list[Note | Caution] = []
    if len(places) < len(table.split["validation"]):
        values = {"rows": len(places), "total": len(table.split["validation"])}
        notes.append(Note("timeline.validation_capped", values))
    learnt = table.part("train")
    if behind := sum(bool(row.get(EARLIER)) for row in learnt):
        notes.append(Note("timeline.context", {"rows": behind, "total": len(learnt)}))
    if more:
        notes.append(Note("timeline.augmented", {"rows": len(more), "kind_code": f"augment.{options.augment}"}))
    coder.total = len(learnt) + len(more) + len(places)
    train, lost = labelled(coder.items("train", [*learnt, *more]), task)
    validation, lost_too = labelled(
        coder.items("validation", [table.rows[place] for place in places]), task, whole=True
    )
    if lost:
        notes.append(Caution("timeline.answers_cut", {"rows": len(lost), "tokens": options.max_length}))
    dropped = set(lost_too)
    places = [place for number, place in enumerate(places) if number not in dropped]
    if not len(train.lengths) or not len(validation.lengths):
        raise UserError("answers_all_cut", tokens=options.max_length)
    return train, validation, places, notes


def _made(run_dir: Path, task: Task, table: Table, seed: int) -> Path:
    """The run's own base, of its training rows alone: nothing of the test may be known before it is sat."""
    texts = (text for row in table.part("train") for text in (task.question(row), task.truth(row) or ""))
    return make(run_dir / SCRATCH_BASE, texts, seed)


def _checked(cls: type, group: str, spec: Spec) -> Any:
    """The options of a group of the spec. Raises UserError (`options_wrong`) with the first thing wrong."""
    options, problems = read_options(cls, group, spec.options.get(group, {}))
    _refuse(problems)
    return options


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise UserError("options_wrong", field=problems[0].field, found=problems[0].text(), count=len(problems))


def _options(
    run_dir: Path,
    spec: Spec,
    inputs: Inputs,
    table: Table,
    task: Task,
    method: Method,
    card: Card,
    tokenizer: Any,
    facts: dict[str, Any],
) -> tuple[TrainingOptions, list[Decision]]:
    """The options of this run, kept in plan.json: a resumed run must not plan anew on a machine that got faster."""
    kept = run_dir / PLAN
    if kept.is_file():
        raw = json.loads(kept.read_text("utf-8"))
        return TrainingOptions(**raw["options"]), [Decision(**decision) for decision in raw["decisions"]]
    chosen, problems = read_options(TrainingOptions, "training", spec.options.get("training", {}))
    _refuse(problems)
    given = {name: getattr(chosen, name) for name in spec.options.get("training", {})}
    sample = table.part("train")[:_LENGTH_SAMPLE]
    case = Case(
        task,
        card,
        method,
        lengths=[len(item["input_ids"]) for item in task.encode(sample, tokenizer, facts, _WHOLE)],
        hardware=inputs.hardware,
        rows=len(table.rows),
        shares=(spec.split.validation, spec.split.test),
        windows=facts.get("windows", 1),
        measured=inputs.measured,
        how=_checked(method.Options, "method", spec),
        head=facts.get("head", "linear"),
        language=inputs.language,
        labels=label_sizes(task, table.part("train")),
        context=facts.get("context", 0),
    )
    # The screen writes the whole plan into the spec; what it planned itself was not chosen by a person.
    asked = {name: given[name] for name in _LENGTHENING if name in given}
    own = plan(case, spec.preset, asked).options
    by_hand = frozenset(name for name, value in given.items() if not _near(value, own[name]))
    found = plan(case, spec.preset, given, by_hand)
    decisions = [decision.to_json() for decision in found.decisions]
    about_run = {"options": found.options, "decisions": decisions, "threads": inputs.hardware.threads}
    write_whole(kept, json.dumps(about_run, indent=1))
    return TrainingOptions(**found.options), found.decisions


def _near(value: Any, planned: Any) -> bool:
    """Whether a value may come from a plan made earlier from a sample of the rows or a guess of their lengths."""
    if isinstance(value, (int, float)) and isinstance(planned, (int, float)):
        return abs(value - planned) <= 0.3 * abs(planned)
    return bool(value == planned)


def as_options(options: TrainingOptions) -> dict[str, Any]:
    """The options as JSON."""
    return dataclasses.asdict(options)
