"""The shipped example: it is there after the first start, whole, and only then."""

from __future__ import annotations

from studio.evaluation.baseline import load_all
from studio.runs import example
from studio.runs.desk import Desk
from studio.web.describe import describe
from studio.web.report import shown_report
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


def test_the_example_says_that_it_has_no_tuned_model_and_what_it_was_made_from(workspace: Workspace):
    assert example.install(workspace)
    desk = Desk(workspace)
    view = desk.get(example.RUN)
    shown = {language: describe(desk, view, language) for language in ("en", "zh")}
    report = shown_report(desk, example.RUN, "en")
    desk.close()
    assert 200 < view.seconds < 400
    assert shown["en"]["data_name"] == "Only 12 rows a label"
    assert shown["zh"]["data_name"] in shown["zh"]["about"]
    assert "d-" not in shown["en"]["about"]
    assert (shown["en"]["can_download"], shown["en"]["sample"]) == (False, example.SAMPLE)
    assert "simple models only" in report["run"]["without_model"]
    assert "already reaches 0.774: tuning adds 14.6 points" in report["verdict"]["detail"]
