"""From data and a few choices to a whole spec, with what it will cost and everything that is wrong with it.

The screen, the command line and "run again" all ask here, so that they start the same run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio import hardware
from studio.data.findings import counted
from studio.data.queries import check, label_counts
from studio.data.roles import suggest
from studio.data.store import DataVersion, find_version
from studio.data.use import Use, saved_use
from studio.errors import UserError
from studio.hardware import Decision, Hardware
from studio.methods.base import Verdict, methods
from studio.models.card import Card
from studio.models.catalogue import absolute
from studio.models.catalogue import card as card_of
from studio.options import read_options
from studio.problem import Problem
from studio.runs import objections
from studio.runs.reading import LOOKED_AT, lengths_of, read_for, suggest_model, with_earlier
from studio.runs.speeds import known, known_language
from studio.runs.talks import cut_answers
from studio.spec import PRESETS, Spec
from studio.tasks.base import Task, tasks
from studio.training.language import KEY as LANGUAGE
from studio.training.language import refused
from studio.training.options import TrainingOptions
from studio.training.plan import Case, Estimate, Plan, plan, plan_simple
from studio.workspace import Workspace

BASELINE = "baseline"
"""The model id, and the method, of a run that only fits the simple models."""
CHANGES = ("", "lower_rate", "raise_rate", "more_epochs", "fewer_epochs", "class_weights")
"""What "run again" can change by itself, as the coach suggests it."""


@dataclass(frozen=True)
class Draft:
    """A spec that could be started, unless `problems` holds an error. `language` are the seconds that learning the
    language first takes, or would take; where it cannot be had, `no_language` says why. `context` is how many times
    as long texts are with the earlier rows of their conversation; None where no column says which those are."""

    spec: Spec
    problems: list[Problem]
    estimate: Estimate | None
    decisions: list[Decision]
    language: float | None = None
    no_language: Verdict | None = None
    context: float | None = None


def use_of(workspace: Workspace, version: DataVersion) -> tuple[Use, str, dict[str, Any], bool]:
    """How the version is used: what a person confirmed, else the guess; with the reason's code, its values, and
    whether it is sure."""
    found = suggest(version)
    kept = saved_use(workspace, version.owner, version.version)
    if kept is not None:
        return kept, "data.use_confirmed", {}, True
    return Use(found.task or "", dict(found.columns)), found.code, dict(found.values), found.sure


def verdicts(workspace: Workspace, task: str, model: str) -> dict[str, Verdict]:
    """Every method with whether it can tune `model` here, and why (not). Raises UserError for an unusable model."""
    if model == BASELINE:
        return {}
    try:
        card = card_of(workspace, model)
    except UserError as error:
        if error.code != "model_not_fetched":
            raise
        return {method.key: Verdict(True, f"method.{method.key}.blurb") for method in methods}
    machine = hardware.read_or_probe(workspace)
    return {method.key: method.supports(tasks.get(task).peft_type, card, machine) for method in methods}


def draft(
    workspace: Workspace,
    version: DataVersion,
    *,
    use: Use,
    model: str = "",
    method: str = "",
    preset: str = "",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    name: str = "",
    owner: str = "local",
    seed: int | None = None,
) -> Draft:
    """The spec for these choices; what is left empty is chosen. `options` by group are kept as a person set them;
    `seed` is that of the split where it is None.

    Raises UserError for an unknown task, model, method or preset; everything else that is wrong is in `problems`.
    """
    if not use.task:
        raise UserError("task_not_chosen", name=version.name)
    task = tasks.get(use.task)
    preset = preset or task.kind.preset
    if preset not in PRESETS:
        raise UserError("unknown_key", kind="preset", key=preset[:40], near=PRESETS[0], known=list(PRESETS))
    model = absolute(model or suggest_model(workspace, version, use))
    given = {group: dict(values) for group, values in (options or {}).items()}
    objections.with_filler(workspace, given)
    problems = counted(version, use, check(version, use.task, use.columns, use.split)) + objections.unknown_groups(
        given
    )
    no_language, context = None, None
    if model == BASELINE:
        planned, method = plan_simple(version.rows, hardware.read_or_probe(workspace)), BASELINE
    else:
        found = verdicts(workspace, use.task, model)
        method = method or suggest_method(task, found)
        if not found.setdefault(methods.get(method).key, Verdict(True, "")).ok:
            problems.append(Problem(found[method].code, "error", "method", values=found[method].values))
        planned, more, context = _planned(workspace, version, use, model, method, preset, given)
        problems += more + objections.hurried(task, preset, given)
        no_language = refused(task, _card_or_guess(workspace, model), hardware.read_or_probe(workspace))
        if no_language and planned.options[LANGUAGE]:
            why = [(no_language.code, no_language.values)]
            problems.append(Problem("language_refused", "error", f"training.{LANGUAGE}", values={"why_codes": why}))
    spec = Spec(
        data=version.version,
        columns=dict(use.columns),
        task=use.task,
        model="" if model == BASELINE else model,
        method=method,
        owner=owner,
        name=name.strip()[:200],
        preset=preset,
        seed=use.split.seed if seed is None else seed,
        split=use.split,
        options=_options(task, method, planned, given),
    )
    return Draft(spec, problems, planned.estimate, planned.decisions, planned.language, no_language, context)


def suggest_method(task: Task, found: Mapping[str, Verdict]) -> str:
    """The first usable of the methods that suit the task best: an adapter for models that write, else all weights."""
    return next((key for key in task.kind.methods if key in found and found[key].ok), "full")


def _planned(
    workspace: Workspace,
    version: DataVersion,
    use: Use,
    model: str,
    method: str,
    preset: str,
    given: dict[str, dict[str, Any]],
) -> tuple[Plan, list[Problem], float | None]:
    """The plan, what is wrong with the options set by hand, and `Draft.context`."""
    task = tasks.get(use.task)
    machine = hardware.read_or_probe(workspace)
    chosen, problems = read_options(TrainingOptions, "training", given.get("training", {}))
    about, more = read_options(task.Options, "task", given.get("task", {}))
    how, rest = read_options(methods.get(method).Options, "method", given.get("method", {}))
    talks, texts, lengths = read_for(workspace, version, use, model, getattr(about, "answers", "all"))
    problems = (
        problems
        + more
        + rest
        + objections.reads_little(workspace, texts, model)
        + objections.growing(workspace, task, chosen)
    )
    problems += objections.continuing(workspace, model, task)
    lengths, context, more = with_earlier(workspace, version, use, model, about, lengths)
    problems += more
    problems += objections.optimizer(chosen, "learning_rate" in given.get("training", {}))
    wrong = {problem.field.partition(".")[2] for problem in problems}
    kept = {key: getattr(chosen, key) for key in given.get("training", {}) if hasattr(chosen, key) and key not in wrong}
    card = _card_or_guess(workspace, model)
    if card.gated and not card.on_disk:
        values = {"model": card.title}
        problems.append(Problem("model_gated", "error", "model", values=values))
    case = case_of(version, use, card, method, lengths, machine, about, how)
    case = dataclasses.replace(case, labels=_label_sizes(version, use, task, chosen))
    planned = plan(case, preset, kept)
    # What was measured depends on choices that the first plan makes: the word table, the number format.
    measured = known(workspace, model, use.task, method, planned.options)
    spoken = known_language(workspace, card, planned.options)
    if measured is not None or spoken is not None:
        planned = plan(dataclasses.replace(case, measured=measured, language=spoken), preset, kept)
    if talks:
        prompts = lengths_of(workspace, [talk.before for talk in talks], model)
        usable = round(version.rows * len(talks) / min(version.rows, LOOKED_AT))
        problems += cut_answers(talks, lengths, prompts, planned.options["max_length"], usable)
    problems += objections.room(workspace, planned.estimate, machine)
    return planned, problems, context


def case_of(
    version: DataVersion,
    use: Use,
    card: Card,
    method: str,
    lengths: list[int],
    machine: Hardware,
    about: Any,
    how: Any = None,
) -> Case:
    """What the plan is asked about; `about` are the task's options, `how` the method's."""
    shares = (use.split.validation, use.split.test)
    windows, head = getattr(about, "windows", 1), getattr(about, "head", "linear")
    task, tuning = tasks.get(use.task), methods.get(method)
    context = getattr(about, "context", 0)
    return Case(
        task, card, tuning, lengths, machine, version.rows, shares, windows, head=head, how=how, context=context
    )


def _label_sizes(version: DataVersion, use: Use, task: Task, options: TrainingOptions) -> list[int]:
    """About how many training rows each label has, where augmentation is capped by that."""
    if options.augment == "off" or not options.augment_most or task.result != "labels":
        return []
    share = 1 - use.split.validation - use.split.test
    return [round(share * rows) for _, rows in label_counts(version, use.columns[task.roles[-1].key])]


def _card_or_guess(workspace: Workspace, model: str) -> Card:
    """The card; for a hub model nobody has fetched yet, that of a base-sized encoder, since its size is not known."""
    try:
        return card_of(workspace, model)
    except UserError as error:
        if error.code != "model_not_fetched":
            raise
    return Card(
        id=model, title=model, folder=None, parameters=110_000_000, embedding_parameters=24_000_000, bytes=440_000_000,
        kind="encoder", model_type="", hidden=768, layers=12, heads=12, vocabulary=30_000, max_positions=512,
        on_disk=False, intermediate=3072,
    )  # fmt: skip


def _options(task: Task, method: str, planned: Plan, given: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every option by group, the plan's and the defaults below what was set by hand."""
    if method == BASELINE:
        return {}
    task_options, _ = read_options(task.Options, "task", given.get("task", {}))
    method_options, _ = read_options(methods.get(method).Options, "method", given.get("method", {}))
    return {
        "training": planned.options,
        "task": dataclasses.asdict(task_options),
        "method": dataclasses.asdict(method_options),
    }


def again(workspace: Workspace, spec: Spec, change: str, owner: str) -> Draft:
    """The same run once more, by `owner`, with one of CHANGES. Raises UserError (`change_unknown`)."""
    if change not in CHANGES:
        raise UserError("change_unknown", change=change[:40], known=[key for key in CHANGES if key])
    options = {group: dict(values) for group, values in spec.options.items()}
    training = options.setdefault("training", {})
    if change.endswith("_rate"):
        factor = 1 / 3 if change == "lower_rate" else 3.0
        for key in ("learning_rate", "head_learning_rate"):
            training[key] = training.get(key, getattr(TrainingOptions(), key)) * factor
    elif change.endswith("_epochs"):
        training["epochs"] = training.get("epochs", TrainingOptions().epochs) * (2 if change == "more_epochs" else 0.5)
    elif change == "class_weights":
        options.setdefault("task", {})["class_weights"] = True
    version = find_version(workspace, spec.data, owner)
    use = Use(spec.task, dict(spec.columns), spec.split)
    return draft(
        workspace, version, use=use, model=spec.model or BASELINE, method=spec.method, preset=spec.preset,
        options=options, name=spec.name, owner=owner, seed=spec.seed,
    )  # fmt: skip
