from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from studio.errors import UserError
from studio.inference import protocol
from studio.workspace import Workspace


def test_short_path_stays_in_the_workspace():
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        workspace = Workspace.open(home)
        assert protocol.socket_path(workspace) == workspace.home / "inference.sock"


def test_long_path_moves_to_a_private_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    one, other = (Workspace(tmp_path / ("deep" * 30) / name) for name in ("a", "b"))
    path = protocol.socket_path(one)
    try:
        assert len(bytes(path)) <= protocol.LONGEST_PATH
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert protocol.socket_path(one) == path
        elsewhere = protocol.socket_path(other)
        assert elsewhere != path
        elsewhere.parent.rmdir()
    finally:
        path.parent.rmdir()


def test_length_is_counted_in_bytes():
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        workspace = Workspace(Path(home) / ("工作" * 14))
        assert len(str(workspace.home)) < protocol.LONGEST_PATH
        path = protocol.socket_path(workspace)
        assert path.parent != workspace.home
        path.parent.rmdir()


@pytest.mark.parametrize("kind", ["open", "file", "link"])
def test_a_folder_open_to_others_is_refused(tmp_path, kind):
    place = tmp_path / "place"
    if kind == "open":
        place.mkdir(mode=0o755)
        place.chmod(0o755)
    elif kind == "file":
        place.write_text("")
    else:
        (tmp_path / "target").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "target")
    with pytest.raises(UserError) as caught:
        protocol.private_folder(place)
    assert caught.value.code == "inference_socket"
    assert str(place) in caught.value.text()


def test_lines():
    message = {"op": "predict", "rows": ["外卖\n好吃", 'a"b']}
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert protocol.decode(line) == message
    with pytest.raises(ValueError, match="object"):
        protocol.decode(b"[1]\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        protocol.encode({"x": float("nan")})
