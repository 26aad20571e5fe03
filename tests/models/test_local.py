"""Folders of this machine that a page may open: inside the roots, without links that lead out of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from spoken import check_spoken

from studio.errors import UserError
from studio.models import local
from studio.models.card import read_card
from studio.models.catalogue import place


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "models here"
    folder.mkdir()
    monkeypatch.setenv(local.SETTING, f"{folder}{os.pathsep}{tmp_path / 'absent'}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    return folder


def test_a_folder_in_a_root_is_opened_by_its_real_path(root, model, workspace):
    shutil.copytree(model, root / "模型")
    (root / "link").symlink_to(root / "模型")
    for typed in (root / "模型", root / "link", root / "x" / ".." / "模型"):
        chosen = local.checked(workspace, f"local: {typed} ")
        assert chosen == f"local:{os.path.realpath(root / '模型')}"
    assert read_card(place(workspace, chosen), chosen).kind == "encoder"
    assert local.checked(workspace, "hub:org/name") == "hub:org/name"
    assert local.found(workspace) == [Path(os.path.realpath(root / "模型"))]


@pytest.mark.parametrize("way", ["outside", "up", "link", "file", "home", "hidden name"])
def test_what_lies_outside_is_not_opened_and_nothing_is_said_of_it(root, model, tmp_path, workspace, way):
    away = Path(shutil.copytree(model, tmp_path / "models here too"))
    typed = {"outside": away, "up": root / ".." / away.name, "home": Path("~"), "hidden name": Path("/etc/ssl")}.get(
        way
    )
    named = str(typed)
    if way == "link":
        (root / "link").symlink_to(away)
        named = str(root / "link")
    elif way == "file":
        inside = Path(shutil.copytree(model, root / "m"))
        (inside / "README.md").symlink_to("/etc/hostname")
        typed, named = inside, str(Path(os.path.realpath(inside)) / "README.md")
    elif typed is None:
        typed = root / "link"
    with pytest.raises(UserError) as caught:
        local.checked(workspace, f"local:{typed or named}")
    roots = [str(item) for item in local.roots(workspace)]
    check_spoken(caught.value, "model_folder_closed", folder=named, roots=roots)


def test_the_same_answer_for_what_is_there_and_what_is_not(root, workspace):
    said = []
    for name in ("/etc/passwd", "/etc/not-there"):
        with pytest.raises(UserError) as caught:
            local.checked(workspace, f"local:{name}")
        said.append(caught.value.text().replace(name, ""))
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["", "  ", "a\0b"])
def test_no_folder_at_all(root, workspace, name):
    with pytest.raises(UserError) as caught:
        local.checked(workspace, f"local:{name}")
    assert caught.value.code == "model_no_folder"


def test_without_a_setting_it_is_the_home_of_the_account_and_its_hub_cache(model, tmp_path, workspace, monkeypatch):
    home = tmp_path / "home"
    snapshot = home / ".cache/huggingface/hub/models--org--m/snapshots/abc"
    blobs = home / ".cache/huggingface/hub/models--org--m/blobs"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for file in model.iterdir():
        shutil.copy(file, blobs / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv(local.SETTING, raising=False)
    monkeypatch.delenv("HF_HOME", raising=False)
    assert local.roots(workspace)[0] == home.resolve()
    assert local.found(workspace) == [snapshot]
    chosen = local.checked(workspace, f"local:{snapshot}")
    assert read_card(place(workspace, chosen), chosen).parameters > 0
