"""The spec: everything a run is made from, frozen, versioned, JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import UserError
from studio.problem import Problem

SPEC_VERSION = 1
PRESETS = ("quick", "balanced", "thorough")
"""The time budgets a run can be planned for, shortest first."""


SPLITS = ("stratified", "random", "group", "time", "given")
"""How rows can be divided: the same mix of labels in every part, at random, whole groups of a column, the latest rows
of a column held back, or as a column says."""
COLUMN_SPLITS = SPLITS[2:]
"""Those that need a column."""


@dataclass(frozen=True)
class Split:
    """How rows are divided: shares of validation and test (the rest trains), the seed of the shuffle, one of SPLITS,
    and the column that it goes by, or ""."""

    validation: float = 0.15
    test: float = 0.15
    seed: int = 13
    how: str = SPLITS[0]
    column: str = ""

    @staticmethod
    def sent(raw: Mapping[str, Any]) -> Split:
        """From what a page sent. Raises TypeError, ValueError or OverflowError for what is none; the check of a draft
        judges the shares."""
        split = Split(**raw)
        if split.how not in SPLITS:
            raise ValueError(split.how)
        numbers = (float(split.validation), float(split.test), int(split.seed))
        return Split(*numbers, split.how, str(split.column) if split.how in COLUMN_SPLITS else "")


@dataclass(frozen=True)
class Spec:
    """What a person asked for.

    `data` is a data version id, `columns` maps the task's roles to column names, `model` is a model id
    ("starter:minilm", "local:<folder>", "hub:<org>/<name>"), `options` holds typed options by group
    ("training", "task", "method"). A baseline-only run has method "baseline" and no model.
    """

    data: str
    columns: dict[str, str]
    task: str
    model: str
    method: str
    owner: str = "local"
    name: str = ""
    preset: str = "quick"
    seed: int = 13
    split: Split = field(default_factory=Split)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = SPEC_VERSION

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False, indent=2, sort_keys=True)

    @staticmethod
    def from_json(raw: Any) -> Spec:
        """Read a spec. Raises UserError: `spec_unreadable` for what is none, `spec_newer`, and `spec_wrong` with every
        problem of its fields at once."""
        if not isinstance(raw, dict):
            raise UserError("spec_unreadable", part=type(raw).__name__)
        version = raw.get("version", SPEC_VERSION)
        if _is_whole(version) and version > SPEC_VERSION:
            raise UserError("spec_newer", found=version, known=SPEC_VERSION)
        found = problems_of(raw)
        if found:
            told = [(f"problem.{problem.code}", problem.values) for problem in found]
            raise UserError("spec_wrong", count=len(found), problems_codes=told)
        return Spec(**{**raw, "split": Split(**raw.get("split", {}))})

    @staticmethod
    def loads(text: str) -> Spec:
        """Read a spec from JSON text; raises what `from_json` does."""
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError("spec_unreadable", part=f"line {error.lineno}") from None
        except (RecursionError, ValueError) as error:
            raise UserError("spec_unreadable", part=str(error)[:80]) from None
        return Spec.from_json(raw)


_NEEDED = ("data", "columns", "task", "model", "method")


def problems_of(raw: dict[str, Any]) -> list[Problem]:
    """Everything wrong with the fields of a spec as it came from JSON, each tied to its field."""
    found = _names(raw, "", [item.name for item in dataclasses.fields(Spec)], _NEEDED)
    for name, kind in _KINDS.items():
        if name in raw:
            found += _kind(name, raw[name], kind)
    if isinstance(raw.get("preset"), str) and raw["preset"] not in PRESETS:
        values = {"seen": raw["preset"][:40], "known": list(PRESETS)}
        found.append(Problem("spec_preset", "error", "preset", values=values))
    split = raw.get("split")
    if isinstance(split, dict):
        found += _names(split, "split.", [item.name for item in dataclasses.fields(Split)], ())
        for name, kind in _SPLIT_KINDS.items():
            if name in split:
                found += _kind(f"split.{name}", split[name], kind)
        if isinstance(split.get("how"), str) and split["how"] not in SPLITS:
            values = {"seen": split["how"][:40], "known": list(SPLITS)}
            found.append(Problem("spec_split", "error", "split.how", values=values))
    return found


def _names(raw: dict[str, Any], place: str, known: Sequence[str], needed: Sequence[str]) -> list[Problem]:
    unknown = [
        Problem("spec_unknown", "error", f"{place}{name}"[:60], values={"name": f"{place}{name}"[:60], "known": known})
        for name in raw
        if name not in known
    ]
    return unknown + [
        Problem("spec_missing", "error", name, values={"name": name}) for name in needed if name not in raw
    ]


def _kind(name: str, value: Any, kind: str) -> list[Problem]:
    if _TESTS[kind](value):
        return []
    shown = json.dumps(value, ensure_ascii=False)[:60]
    values = {"name": name, "seen": shown, "wanted_code": f"spec.kind.{kind}"}
    return [Problem("spec_kind", "error", name, values=values)]


def _is_whole(value: Any) -> bool:
    # Python counts True as 1.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1


def _is_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(column, str) for column in value.values())


def _is_groups(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(group, dict) for group in value.values())


_TESTS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "word": lambda value: isinstance(value, str) and bool(value.strip()),
    "whole": _is_whole,
    "share": _is_share,
    "names": _is_names,
    "groups": _is_groups,
    "object": lambda value: isinstance(value, dict),
}
_KINDS = {
    "data": "word", "columns": "names", "task": "word", "model": "text", "method": "word", "owner": "word",
    "name": "text", "preset": "text", "seed": "whole", "split": "object", "options": "groups", "version": "whole",
}  # fmt: skip
_SPLIT_KINDS = {"validation": "share", "test": "share", "seed": "whole", "how": "text", "column": "text"}
