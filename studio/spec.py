"""The spec: everything a run is made from, frozen, versioned, JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from studio.errors import UserError

SPEC_VERSION = 1


@dataclass(frozen=True)
class Split:
    """How rows are divided: shares of validation and test (the rest trains) and the seed of the shuffle."""

    validation: float = 0.15
    test: float = 0.15
    seed: int = 13


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
        """Read a spec. Raises UserError (`spec_unreadable`, `spec_newer`) naming the offending part."""
        if not isinstance(raw, dict):
            raise UserError("spec_unreadable", part=type(raw).__name__)
        if raw.get("version", SPEC_VERSION) > SPEC_VERSION:
            raise UserError("spec_newer", found=raw["version"], known=SPEC_VERSION)
        known = {item.name for item in dataclasses.fields(Spec)}
        unknown = sorted(set(raw) - known)
        missing = [name for name in ("data", "columns", "task", "model", "method") if name not in raw]
        if unknown or missing:
            raise UserError("spec_unreadable", part=", ".join(unknown + missing))
        try:
            split = Split(**raw.get("split", {}))
        except TypeError:
            raise UserError("spec_unreadable", part="split") from None
        return Spec(**{**raw, "split": split})

    @staticmethod
    def loads(text: str) -> Spec:
        try:
            return Spec.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise UserError("spec_unreadable", part=f"line {error.lineno}") from None
