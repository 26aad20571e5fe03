"""What the page may offer for a run follows from what lies in its folder and from its task."""

from __future__ import annotations

import dataclasses

import pytest

from studio.runs import example
from studio.runs.desk import Desk
from studio.web.describe import describe
from studio.workspace import Workspace


@pytest.mark.parametrize(
    ("task", "folder", "whole", "simple"),
    [
        ("classification", "baselines", True, True),
        ("ner", "baselines", False, False),
        ("ner", "model", True, False),
        ("a_task_of_tomorrow", "baselines", False, False),
    ],
)
def test_only_what_can_be_packed_is_offered_as_a_download(workspace: Workspace, task, folder, whole, simple):
    assert example.install(workspace)
    desk = Desk(workspace)
    view = dataclasses.replace(desk.get(example.RUN), id="r-2", task=task)
    (workspace.run(view.owner, "r-2") / folder).mkdir(parents=True)
    shown = describe(desk, view, "en")
    desk.close()
    assert (shown["can_download"], shown["can_download_simple"]) == (whole, simple)
