"""A fault in any part of the supervisor is noticed, and passes; one web server holds a workspace."""

import subprocess
import sys

import pytest
from stub_bench import wait_for

from studio.errors import UserError
from studio.runs import supervisor
from studio.runs.claim import claim
from studio.runs.files import read_json


@pytest.mark.parametrize("stage", ["_lead", "_follow", "_admit", "_keep_warm", "_keep_tidy"])
def test_every_stage_may_raise(bench, monkeypatch, stage):
    monkeypatch.setattr(supervisor, "ALARM", 1.0)
    run = bench.submit(steps=20, pause=0.01)

    def broken(*arguments):
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.Supervisor, stage, broken)
        leader = bench.lead()
        wait_for(lambda: not leader.healthy(), seconds=5)
    wait_for(leader.healthy, seconds=2)
    bench.until(run, "done")


def test_supervisor_that_never_started_is_not_healthy(bench):
    made = supervisor.Supervisor(bench.desk.store, bench.launcher)
    assert not made.healthy()


HOLD = "import sys; from studio.runs.claim import claim; from studio.workspace import Workspace; "
HOLD += "hold = claim(Workspace.open(sys.argv[1]), 'http://here'); hold.__enter__(); print('in', flush=True); input()"


def test_second_server_is_refused(bench):
    command = [sys.executable, "-c", HOLD, str(bench.workspace.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "in\n"
        with pytest.raises(UserError) as caught, claim(bench.workspace, "http://there"):
            raise AssertionError("two servers")
        assert caught.value.code == "server_running"
        assert caught.value.values["pid"] == first.pid
        assert caught.value.values["address"] == "http://here"
        first.kill()
        first.wait()
    with claim(bench.workspace, "http://there"):
        assert read_json(bench.workspace.home / "server.json")["address"] == "http://there"
