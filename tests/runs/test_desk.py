"""What can be asked of the desk, and that asking twice does nothing twice."""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
from run_specs import a_spec

from studio.errors import UserError
from studio.events import Done, Note
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.journal import Journal
from studio.runs.people import People
from studio.runs.view import Place, places
from studio.workspace import Workspace


def end(desk, run, state=states.FAILED, **values):
    """Take a run's job to an end as a leader would."""
    job = desk.store.last_job(run)
    with desk.store.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'running', started = ? WHERE id = ?", (time.time(), job.id))
    assert desk.store.move(desk.store.job(job.id), state, **values)


def test_fifty_clicks_one_run(desk):
    """Fifty threads press each of twenty buttons twice."""
    nonces = [f"nonce-{number}" for number in range(20)]
    made, errors = {nonce: [] for nonce in nonces}, []
    barrier = threading.Barrier(50)

    def click(seed):
        barrier.wait()
        for nonce in random.Random(seed).sample(nonces, 20):
            try:
                made[nonce] += [desk.submit(a_spec(), nonce), desk.submit(a_spec(), nonce)]
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=click, args=(seed,)) for seed in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(len(runs) == 100 and len(set(runs)) == 1 for runs in made.values())
    assert len(desk.list()) == len({runs[0] for runs in made.values()}) == 20
    folders = list((desk.workspace.home / "local" / "runs").iterdir())
    assert sorted(folder.name for folder in folders) == sorted(view.id for view in desk.list())


def test_same_key_of_another_person_is_another_run(desk):
    assert desk.submit(a_spec("p-1"), "k") != desk.submit(a_spec("p-2"), "k")


def test_queue_is_fair_and_says_its_places(desk):
    ann = [desk.submit(a_spec("p-ann"), estimate=60) for _ in range(3)]
    bob = desk.submit(a_spec("p-bob"), estimate=30)
    places = {view.id: view.position for view in desk.list()}
    assert [places[ann[0]], places[bob], places[ann[1]], places[ann[2]]] == [1, 2, 3, 4]
    starts = {view.id: view.expected_start for view in desk.list()}
    assert starts[bob] - starts[ann[0]] == pytest.approx(60, abs=1)
    assert starts[ann[1]] - starts[bob] == pytest.approx(30, abs=1)


def test_a_run_over_its_estimate_promises_no_start():
    working = SimpleNamespace(lane="device", started=1000.0, estimate=60.0, owner="p-ann", created=0.0, id=1, run="a")
    waiting = SimpleNamespace(lane="device", started=None, estimate=30.0, owner="p-bob", created=1.0, id=2, run="b")
    assert places([waiting], [working], 1050.0) == {"b": Place(1, 1060.0)}
    assert places([waiting], [working], 1061.0) == {"b": Place(1, None)}


def test_stop_in_the_queue_and_resume(desk):
    run = desk.submit(a_spec())
    desk.stop(run)
    assert desk.get(run).state == states.STOPPED
    with pytest.raises(UserError) as caught:
        desk.stop(run)
    assert caught.value.code == "run_not_active"
    desk.resume(run)
    assert desk.get(run).state == states.QUEUED
    with pytest.raises(UserError) as caught:
        desk.resume(run)
    assert caught.value.code == "run_active"


def test_two_resumes_one_job(desk):
    run = desk.submit(a_spec())
    end(desk, run)
    row = desk.store.run(run)
    assert [desk.store.add_job(row), desk.store.add_job(row)] == [True, False]
    assert len(desk.store.jobs_in(states.ACTIVE)) == 1


def test_done_is_not_resumed(desk):
    run = desk.submit(a_spec())
    end(desk, run, states.DONE, metric="macro_f1", score=0.9)
    view = desk.get(run)
    assert (view.metric, view.score, view.resumable, view.active) == ("macro_f1", 0.9, False, False)
    with pytest.raises(UserError) as caught:
        desk.resume(run)
    assert caught.value.code == "run_done"


def test_trash_and_back(desk):
    run, other = desk.submit(a_spec()), desk.submit(a_spec())
    with pytest.raises(UserError) as caught:
        desk.delete(run)
    assert caught.value.code == "run_active"
    desk.stop(run)
    desk.delete(run)
    assert [view.id for view in desk.list()] == [other]
    assert [view.id for view in desk.list(trashed=True)] == [run]
    desk.restore(run)
    assert {view.id for view in desk.list()} == {run, other}
    desk.delete(run)
    folder = desk.folder(run)
    assert desk.purge() == 0
    assert folder.exists()
    assert desk.purge(older_than=0) == 1
    assert not folder.exists()
    with pytest.raises(UserError) as caught:
        desk.get(run)
    assert caught.value.code == "run_unknown"


def test_rename(desk):
    run = desk.submit(a_spec(name="first"))
    desk.rename(run, "  a \n better name ")
    assert desk.get(run).name == "a better name"
    with pytest.raises(UserError) as caught:
        desk.rename(run, "  ")
    assert caught.value.code == "name_empty"
    assert desk.spec(run).name == "first"


@pytest.mark.parametrize("run", ["../../etc", "r-1/..", "", "R-1", "r-" + "1" * 100, "r-\x00"])
def test_hostile_ids(desk, run):
    with pytest.raises(UserError) as caught:
        desk.folder(run)
    assert caught.value.code == "bad_id"


def test_nothing_is_readable_by_other_accounts(desk):
    run = desk.submit(a_spec())
    assert desk.folder(run).stat().st_mode & 0o077 == 0
    assert desk.workspace.home.stat().st_mode & 0o077 == 0


def test_people_and_sessions(desk):
    people = People(desk.store)
    ann = people.person("Ann")
    assert people.person("Ann") == ann
    token = people.open_session(ann)
    assert people.who(token) == ann
    assert people.who(token + "x") is None
    stored = json.dumps(
        [list(row) for row in sqlite3.connect(desk.workspace.database).execute("SELECT * FROM sessions")]
    )
    assert token not in stored
    people.close_session(token)
    assert people.who(token) is None
    run = desk.submit(a_spec(ann.id))
    assert desk.get(run).owner_name == "Ann"


def test_nobody_becomes_the_local_person_by_name(desk):
    people = People(desk.store)
    local = people.person("local", "local")
    assert local.id == "local"
    stranger = people.person("local")
    assert stranger.id != "local"
    assert people.person("local") == stranger
    assert people.person("local", "local") == local


def test_how_busy_it_is_without_looking_at_every_run(desk):
    assert desk.busy() == (0, 0)
    runs = [desk.submit(a_spec()) for _ in range(4)]
    end(desk, runs[0])
    job = desk.store.last_job(runs[1])
    assert desk.store.move(job, states.ADMITTED)
    assert desk.busy() == (1, 2)


def test_second_desk_sees_the_same(desk):
    run = desk.submit(a_spec())
    other = Desk(desk.workspace)
    assert other.get(run).id == run
    other.close()


def test_lost_database_loses_no_run(desk):
    done, cut, waiting = (desk.submit(a_spec(owner, name=owner)) for owner in ("p-1", "p-2", "p-3"))
    for run in (done, cut):
        made = Journal(desk.folder(run), 1)
        made.emit(Done(5, "macro_f1", 0.9) if run == done else Note("x"))
        made.close()
    folders = {run: desk.folder(run) for run in (done, cut, waiting)}
    desk.close()
    for path in desk.workspace.home.glob("studio.db*"):
        path.unlink()
    again = Desk(desk.workspace)
    views = {view.id: view for view in again.list()}
    assert set(views) == {done, cut, waiting}
    assert (views[done].state, views[done].score, views[done].name) == ("done", 0.9, "p-1")
    assert (views[cut].state, views[waiting].state) == ("interrupted", "interrupted")
    assert {run: again.folder(run) for run in views} == folders
    again.resume(cut)
    assert again.get(cut).state == "queued"
    again.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("left", [0, 4096, 20_000])
def test_full_disk_refuses_and_loses_nothing(tmp_path, left):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system mounts nothing")
    try:
        desk = Desk(Workspace.open(place / "home"))
        first = desk.submit(a_spec())
        with (place / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while shutil.disk_usage(place).free > left:
                file.write(b"x" * 4096)
        refused = 0
        for _ in range(200):
            try:
                desk.submit(a_spec())
            except UserError as error:
                refused += error.code == "disk_full"
                break
        assert refused == 1
        assert first in [view.id for view in desk.list()]
        with desk.store.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        (place / "filler").unlink()
        desk.submit(a_spec())
        folders = {folder.name for folder in (place / "home" / "local" / "runs").iterdir()}
        assert folders == {view.id for view in desk.list()}
        desk.close()
    finally:
        subprocess.run(["umount", "-l", place], check=True)
