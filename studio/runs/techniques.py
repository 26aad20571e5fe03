"""Techniques: what a press adds to a training, what each costs, and the same run without it, to measure it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studio.data.store import find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.evaluation.report import REPORT
from studio.options import options_of
from studio.runs.desk import Desk
from studio.runs.draft import BASELINE, Draft, draft
from studio.runs.view import RunView
from studio.spec import Spec
from studio.tasks.base import Task
from studio.tasks.earlier import USUAL
from studio.training.adversarial import passes
from studio.training.options import TrainingOptions


@dataclass(frozen=True)
class Technique:
    """One option whose default leaves it off. Words: `technique.<key>`, `technique.<key>_help`."""

    key: str
    group: str
    option: str
    on: Any
    """What a press sets."""

    def applies(self, task: Task) -> bool:
        """Whether the task has such an option."""
        return self.option in _defaults(self.group, task)

    def off(self, task: Task) -> Any:
        return _defaults(self.group, task)[self.option]

    def used(self, options: Mapping[str, Mapping[str, Any]], task: Task) -> bool:
        """Whether it is on in a spec's options."""
        if not self.applies(task):
            return False
        off = self.off(task)
        return bool(options.get(self.group, {}).get(self.option, off) != off)


TECHNIQUES = (
    Technique("weights", "task", "class_weights", True),
    Technique("oversample", "task", "oversample", 1.0),
    Technique("focal", "task", "focal_gamma", 2.0),
    Technique("augment", "training", "augment", "mixed"),
    Technique("adversarial", "training", "adversarial", "fgm"),
    Technique("language", "training", "language_first", True),
    Technique("context", "task", "context", USUAL),
)


def _defaults(group: str, task: Task) -> dict[str, Any]:
    cls = TrainingOptions if group == "training" else task.Options
    return {item.name: item.default for item in options_of(cls, group)}


def cost(technique: Technique, training: Mapping[str, Any]) -> int:
    """How many times as long the training takes with it, as the options stand; 1 for nothing to speak of. Learning the
    language first is a phase of its own, whose seconds the plan tells (`Draft.language`), as it tells how much longer
    earlier rows make the texts (`Draft.context`)."""
    plain = dataclasses.asdict(TrainingOptions())
    known = {**plain, **{name: value for name, value in training.items() if value is not None and name in plain}}
    if technique.key == "augment":
        return 1 + int(known["augment_copies"])
    if technique.key == "adversarial":
        kind = known["adversarial"] if known["adversarial"] != "off" else str(technique.on)
        return passes(str(kind), int(known["adversarial_steps"]))
    return 1


def technique(key: str) -> Technique:
    """Raises UserError (`unknown_key`)."""
    found = next((one for one in TECHNIQUES if one.key == key), None)
    if found is None:
        keys = [one.key for one in TECHNIQUES]
        raise UserError("unknown_key", kind="technique", key=key[:40], near=keys[0], known=keys)
    return found


def without(desk: Desk, spec: Spec, key: str, owner: str) -> Draft:
    """The same run, by `owner`, with the same seed and all else as it was, but without a technique."""
    version = find_version(desk.workspace, spec.data, owner)
    use = Use(spec.task, dict(spec.columns), spec.split)
    return draft(
        desk.workspace, version, use=use, model=spec.model or BASELINE, method=spec.method, preset=spec.preset,
        options=_lacking(spec, technique(key)), name=spec.name, owner=owner, seed=spec.seed,
    )  # fmt: skip


def _lacking(spec: Spec, one: Technique) -> dict[str, dict[str, Any]]:
    options = {group: dict(values) for group, values in spec.options.items()}
    options.setdefault(one.group, {})[one.option] = one.off(_task(spec))
    return options


def _task(spec: Spec) -> Task:
    from studio.tasks.base import tasks

    return tasks.get(spec.task)


def used_by(spec: Spec) -> list[Technique]:
    """The techniques of a run."""
    return [one for one in TECHNIQUES if one.used(spec.options, _task(spec))]


def twins(desk: Desk, run: RunView, spec: Spec, key: str) -> Iterator[RunView]:
    """Runs that differ from `run` in that technique alone, the newest first."""
    wanted = _essence(dataclasses.replace(spec, options=_lacking(spec, technique(key))))
    for view in desk.list():
        same = (view.data, view.task, view.method) == (run.data, run.task, run.method)
        if view.id != run.id and same and _essence(desk.spec(view.id)) == wanted:
            yield view


def _essence(spec: Spec) -> Any:
    """A spec without what says nothing of the result."""
    plain = dataclasses.asdict(dataclasses.replace(spec, owner="", name="", preset="quick"))
    task = _task(spec)
    options = {group: _near(values) for group, values in spec.options.items()}
    for group in ("training", "task"):
        # An option that is new since then stood at its default.
        options[group] = {**_near(_defaults(group, task)), **options.get(group, {})}
    return {**plain, "options": options}


def _near(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in values.items()}


def finished(desk: Desk, run: RunView) -> bool:
    """Whether a run has a report to compare."""
    return run.state == "done" and (desk.folder(run.id) / REPORT).is_file()
