"""What was left in tmp/ goes after a day, what is in use and what the server needs stays; old trash goes with it."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest
from run_specs import a_spec

from studio.data import versions
from studio.data.importing import import_file
from studio.errors import UserError
from studio.runs import states, supervisor
from studio.runs.supervisor import Supervisor
from studio.runs.tidying import sweep, tidy


def aged(path: Path, days: float) -> None:
    for entry in [*path.rglob("*"), path] if path.is_dir() else [path]:
        os.utime(entry, (time.time() - days * states.DAY,) * 2)


@pytest.fixture
def left(workspace) -> Path:
    """tmp/ with what killed processes and packages that nobody fetched leave, two days old."""
    place = workspace.temporary
    for name in ("import-1", "fetch-2", "ask-3", ".package-4", "example-5", "uploads/ab", "empty"):
        (place / name).mkdir(parents=True)
        (place / name / "file").write_text("x")
    (place / "empty" / "file").unlink()
    for name in ("r-1.2.zip", "probe-6.json"):
        (place / name).write_text("x")
    (place / "link").symlink_to(workspace.home)
    aged(place, 2)
    os.utime(place / "link", (time.time() - 2 * states.DAY,) * 2, follow_symlinks=False)
    return place


def names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


def test_what_is_older_than_a_day_goes_and_the_servers_folders_stay(workspace, left):
    aged(left / "import-1", 0.5)
    (left / "fetch-2" / "file").write_text("still growing")
    (left / "uploads" / "new").mkdir()
    assert sweep(workspace) == 7
    assert names(left) == ["empty", "fetch-2", "import-1", "uploads"]
    assert names(left / "uploads") == ["new"]
    # A link goes; what it points to is not tmp's.
    assert workspace.models.is_dir()


def test_a_leader_tidies_at_once_and_then_every_hour(desk, left, monkeypatch):
    now = [0.0]
    leader = Supervisor(desk.store, desk.launcher, clock=lambda: now[0])
    monkeypatch.setattr(leader, "_warm", lambda: None)
    run = desk.submit(a_spec())
    desk.stop(run)
    desk.delete(run)
    desk.store.change_run(run, trashed=time.time() - 8 * states.DAY)
    folder = desk.folder(run)

    def round_at(moment: float) -> None:
        now[0] = moment
        assert leader.round()
        leader._tidying.join()

    round_at(0.0)
    assert names(left) == ["empty", "uploads"]
    assert not folder.exists()
    assert desk.list(trashed=True) == []
    (left / "ask-7").mkdir()
    aged(left / "ask-7", 2)
    round_at(supervisor.TIDY_EVERY - 1)
    assert (left / "ask-7").exists()
    round_at(supervisor.TIDY_EVERY + 1)
    assert not (left / "ask-7").exists()


def test_who_does_not_lead_tidies_nothing(desk, left, monkeypatch):
    first, second = (Supervisor(desk.store, desk.launcher) for _ in range(2))
    for one in (first, second):
        monkeypatch.setattr(one, "_warm", lambda: None)
    monkeypatch.setattr(first, "_tidy", lambda: None)
    assert first.round()
    assert second.round()
    assert second._tidying is None
    assert "import-1" in names(left)


def test_a_deleted_version_that_a_run_needs_stays_and_comes_back(desk, workspace, tmp_path):
    """Somebody deletes the data at the very moment at which somebody else starts a run on it."""
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "".join(f"a text of row {n},{n % 2}\n" for n in range(40)))
    version = import_file(workspace, "local", file, file.name)
    rows = version.rows_path.read_bytes()
    not_yet = desk.store.runs_of_data(version.version)
    run = desk.submit(dataclasses.replace(a_spec(), data=version.version, owner="local"))
    versions.delete(workspace, version, not_yet)
    assert not version.folder.exists()
    aside = version.folder.parent / versions.DELETED / version.version
    aged(aside, 30)
    tidy(desk.store)
    assert aside.is_dir(), "a run that waits needs it"
    assert versions.held(workspace, "local", version.version).rows_path.read_bytes() == rows
    with pytest.raises(UserError, match="in use and stays"):
        versions.delete(workspace, version, desk.store.runs_of_data(version.version))
    desk.stop(run)
    desk.delete(run)
    with pytest.raises(UserError, match="in use and stays"):
        versions.delete(workspace, version, desk.store.runs_of_data(version.version))
    desk.purge(older_than=-1)
    versions.delete(workspace, version, desk.store.runs_of_data(version.version))
    aged(aside, 30)
    tidy(desk.store)
    assert not aside.exists()
