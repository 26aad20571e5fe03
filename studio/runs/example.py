"""A finished run to look at, shipped with the studio and put into a new workspace: a real one, without its weights."""

from __future__ import annotations

import shutil

from studio.assets import assets
from studio.data.samples import Sample, import_sample, list_samples
from studio.spec import Spec
from studio.workspace import Workspace, new_id

RUN = "r-example"
OWNER = "local"
SAMPLE = "few_rows"


def sample_behind(run: str) -> Sample | None:
    """The sample that a run without its model was trained on: the shipped example's, None for any other run."""
    return next((sample for sample in list_samples() if sample.key == SAMPLE), None) if run == RUN else None


def install(workspace: Workspace) -> bool:
    """Put the example's folder and its data into a workspace that has no database yet; whether it was done.

    The desk that opens the workspace next writes the row, as it does for every run folder it finds.
    """
    if workspace.database.exists():
        return False
    target = workspace.run(OWNER, RUN)
    if target.exists():
        return False
    version = import_sample(workspace, OWNER, SAMPLE)
    unfinished = workspace.temporary / new_id("example")
    shutil.copytree(assets() / "example", unfinished)
    spec = Spec.loads((unfinished / "spec.json").read_text(encoding="utf-8"))
    if spec.data != version.version:
        # The reader has changed since the example was made: its rows would be other rows. A test notices; a person
        # gets a studio without the example rather than none.
        shutil.rmtree(unfinished)
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished.rename(target)
    return True
