"""The shipped example: it is there after the first start, whole, and only then."""

from __future__ import annotations

from studio.evaluation.baseline import load_all
from studio.runs import example
from studio.runs.desk import Desk
from studio.workspace import Workspace


def test_a_new_workspace_shows_a_finished_run_that_can_be_read_and_tried(workspace: Workspace):
    assert example.install(workspace)
    desk = Desk(workspace)
    view = desk.get(example.RUN)
    report = desk.report(example.RUN)
    events, _, _ = desk.events(example.RUN)
    desk.close()
    assert (view.state, view.metric) == ("done", "macro_f1")
    assert report is not None
    assert report["test"]["macro_f1"] == view.score
    assert sum(event["event"] == "step" for event in events) == 53
    models = load_all(desk.workspace.run("local", example.RUN))
    assert list(models) == ["majority", "rules", "tfidf"]
    for model in models.values():
        assert model.predict(["Where can I park?"])[0]["label"] in report["confusion"]["labels"]


def test_a_workspace_in_use_is_left_alone(workspace: Workspace):
    Desk(workspace).close()
    assert not example.install(workspace)
    assert not workspace.run(example.OWNER, example.RUN).exists()
