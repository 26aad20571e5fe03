"""Every look-up asks one question. Today everybody may see everything; here it is answered otherwise."""

from __future__ import annotations

import shutil

import pytest
from run_specs import a_spec

from studio import rights
from studio.data.store import find_version, list_versions
from studio.errors import UserError

ASKED = ["resume", "stop", "delete", "restore", "get", "spec", "folder", "events", "report", "log"]


@pytest.fixture
def private(monkeypatch):
    """A workspace in which everybody sees what is theirs, and programs of this machine see all."""
    monkeypatch.setattr(rights, "may_see", lambda person, owner: person in (None, owner))


@pytest.mark.parametrize("asked", ASKED)
def test_nothing_of_a_run_comes_out_past_the_question(desk, private, asked):
    run = desk.submit(a_spec("ann"))
    with pytest.raises(UserError) as caught:
        getattr(desk, asked)(run, who="bob")
    assert caught.value.code == "run_unknown"
    assert desk.get(run, who="ann").state == desk.get(run).state == "queued"


def test_neither_does_a_new_name_or_the_list(desk, private):
    run = desk.submit(a_spec("ann"))
    with pytest.raises(UserError) as caught:
        desk.rename(run, "mine", who="bob")
    assert caught.value.code == "run_unknown"
    assert desk.list(who="bob") == []
    assert [view.id for view in desk.list(who="ann")] == [run]


def test_nothing_of_data_comes_out_past_the_question(workspace, private):
    folder = workspace.data("ann", "d-1")
    folder.mkdir(parents=True)
    (folder / "source.json").write_text('{"name": "a.csv", "rows": 1, "columns": ["a"], "created": 1}')
    for name in ("rows.parquet", "profile.json"):
        (folder / name).touch()
    with pytest.raises(UserError) as caught:
        find_version(workspace, "d-1", "bob")
    assert caught.value.code == "data_unknown"
    assert list_versions(workspace, "bob") == []
    assert find_version(workspace, "d-1", "ann") == find_version(workspace, "d-1") == list_versions(workspace, "ann")[0]
    shutil.copytree(folder, workspace.data("bob", "d-1"))
    assert find_version(workspace, "d-1", "bob").owner == "bob"


def test_a_shared_workspace_hides_nothing(desk):
    run = desk.submit(a_spec("ann"))
    assert desk.get(run, who="bob").owner == "ann"
    assert rights.may_see("bob", "ann")
