"""Files for the data room's tests: read in this process where speed counts, imported for real where the child matters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio.data import child
from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.workspace import Workspace

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OWNER = "ann"


@dataclass
class Read:
    """What the reader made of a file."""

    rows: list[dict[str, str | None]]
    profile: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return [column["name"] for column in self.profile["columns"]]

    def problem(self, code: str) -> dict[str, Any]:
        return next(problem for problem in self.profile["problems"] if problem["code"] == code)


def read_bytes(folder: Path, name: str, content: bytes) -> Read:
    """Write `content` as `name` and read it without the child process."""
    path = folder / "dropped"
    path.write_bytes(content)
    made = folder / "made"
    made.mkdir(exist_ok=True)
    child.read(path, name, made)
    profile = json.loads((made / "profile.json").read_text("utf-8"))
    return Read(pq.read_table(made / "rows.parquet").to_pylist(), profile)


def bring(home: Path, name: str, content: bytes | str) -> DataVersion:
    """Import `content` under `name` into a workspace at `home`, through the limited child."""
    home.mkdir(exist_ok=True)
    path = home.parent / "dropped"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return import_file(Workspace.open(home / "home"), OWNER, path, name)


def tree(folder: Path) -> list[str]:
    """Every path below `folder`, to see that nothing was left behind."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
