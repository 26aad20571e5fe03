"""How a version is used is remembered beside it."""

from __future__ import annotations

from pathlib import Path

from reading_room import OWNER, bring

from studio.data.store import open_version
from studio.data.use import FILE, Use, save_use, saved_use
from studio.spec import Split
from studio.workspace import Workspace


def test_what_was_confirmed_comes_back(tmp_path: Path) -> None:
    version = bring(tmp_path, "a.csv", "text,label\nsome words,a\nother words,b\n")
    workspace = Workspace.open(tmp_path / "home")
    assert saved_use(workspace, OWNER, version.version) is None
    use = Use("classification", {"text": "text", "label": "label"}, Split(0.2, 0.1, 7))
    save_use(workspace, OWNER, version.version, use)
    assert saved_use(workspace, OWNER, version.version) == use
    assert open_version(workspace, OWNER, version.version) == version
    (version.folder / FILE).write_text("half a fi")
    assert saved_use(workspace, OWNER, version.version) is None
