"""Measuring steps while the form is read."""

from __future__ import annotations

from pathlib import Path

from studio.data.importing import import_file
from studio.runs.desk import Desk
from studio.runs.speeds import measure
from studio.spec import Spec


def test_a_run_of_simple_models_alone_has_nothing_to_measure(desk: Desk, tmp_path: Path):
    """It names no model, which was once looked for all the same: a refusal on the screen about the model ''."""
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "a cat,x\na dog,y\n" * 20, encoding="utf-8")
    version = import_file(desk.workspace, "local", file, file.name)
    spec = Spec("d-1", {"text": "text", "label": "label"}, "classification", "", "baseline")
    assert measure(desk, version, spec) is False
    assert not (desk.workspace.home / "speeds").exists()
