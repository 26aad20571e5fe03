"""A desk on a workspace of its own, with no process behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.runs.desk import Desk
from studio.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


@pytest.fixture
def desk(workspace: Workspace) -> Iterator[Desk]:
    made = Desk(workspace)
    yield made
    made.close()
