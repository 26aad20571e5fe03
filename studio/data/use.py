"""How a data version is used: the task, which column plays which role, and the split. Kept beside the version."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.files import write_whole
from studio.spec import Split
from studio.workspace import Workspace

FILE = "use.json"


@dataclass(frozen=True)
class Use:
    """`columns` maps the task's roles to column names; an empty `task` means that nobody has said yet."""

    task: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    split: Split = field(default_factory=Split)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _path(workspace: Workspace, owner: str, version: str) -> Path:
    return workspace.data(owner, version) / FILE


def saved_use(workspace: Workspace, owner: str, version: str) -> Use | None:
    """What a person confirmed for this version, or None."""
    try:
        raw = json.loads(_path(workspace, owner, version).read_text(encoding="utf-8"))
        return Use(raw["task"], raw["columns"], Split.sent(raw["split"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_use(workspace: Workspace, owner: str, version: str, use: Use) -> None:
    """Remember what a person confirmed; the file appears whole or not at all."""
    write_whole(_path(workspace, owner, version), json.dumps(use.to_json(), ensure_ascii=False))
