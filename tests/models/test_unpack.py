"""Unpacking: names and real sizes of archive members are checked."""

import re
import stat
import zipfile
from pathlib import Path

import pytest
from spoken import check_spoken

from studio.errors import UserError
from studio.models.unpack import unpack


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as sink:
        for name, content in members.items():
            sink.writestr(name, content)
    return path


@pytest.fixture
def target(tmp_path) -> Path:
    folder = tmp_path / "out" / "inner"
    folder.mkdir(parents=True)
    return folder


def test_only_the_wanted_folders_own_files_come_out(tmp_path, target):
    members = {
        "pkg/model/config.json": b"{}",
        "pkg/model/deep/x.json": b"1",
        "pkg/model/.hidden": b"1",
        "pkg/cli.py": b"x",
    }
    written = unpack(archive(tmp_path / "a.whl", members), "pkg/model/", target, 100)
    assert [path.name for path in written] == ["config.json"]
    assert [path.name for path in target.iterdir()] == ["config.json"]


def test_a_single_file(tmp_path, target):
    (written,) = unpack(
        archive(tmp_path / "a.whl", {"pkg/big.bin": b"abc", "pkg/b.py": b"x"}), "pkg/big.bin", target, 3
    )
    assert written.read_bytes() == b"abc"


@pytest.mark.parametrize(
    "name",
    ["../escaped", "pkg/model/../../escaped", "/tmp/escaped", "pkg/model/..\\escaped", "pkg/model/a\\..\\b"],
)
def test_names_that_lead_elsewhere(tmp_path, target, name):
    with pytest.raises(UserError) as caught:
        unpack(archive(tmp_path / "a.whl", {name: b"x", "pkg/model/config.json": b"{}"}), "pkg/model/", target, 100)
    check_spoken(caught.value, "archive_unsafe", member=name)
    assert not list(tmp_path.rglob("escaped"))


def test_a_link_is_refused(tmp_path, target):
    entry = zipfile.ZipInfo("pkg/model/config.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as sink:
        sink.writestr(entry, "/etc/passwd")
    with pytest.raises(UserError) as caught:
        unpack(tmp_path / "a.whl", "pkg/model/", target, 100)
    check_spoken(caught.value, "archive_unsafe", member="pkg/model/config.json")


def test_a_bomb_is_cut_off_by_its_real_bytes(tmp_path, target):
    bomb = archive(tmp_path / "a.whl", {"pkg/model/config.json": b"\0" * 30_000_000})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(UserError) as caught:
        unpack(bomb, "pkg/model/", target, 1_000_000)
    check_spoken(caught.value, "archive_unsafe", member="pkg/model/config.json")
    assert sum(path.stat().st_size for path in target.iterdir()) <= 1_000_000


def test_damaged_or_empty_archives(tmp_path, target):
    (tmp_path / "a.whl").write_bytes(b"PK\3\4 nothing of a zip")
    with pytest.raises(UserError) as caught:
        unpack(tmp_path / "a.whl", "pkg/model/", target, 100)
    check_spoken(caught.value, "archive_damaged", file="a.whl", reason="File is not a zip file")
    whole = archive(tmp_path / "b.whl", {"pkg/model/config.json": b"abcdefgh" * 500})
    data = bytearray(whole.read_bytes())
    data[60] ^= 0xFF
    whole.write_bytes(data)
    with pytest.raises(UserError) as caught:
        unpack(whole, "pkg/model/", target, 10_000)
    check_spoken(caught.value, "archive_damaged", file="b.whl", reason=re.compile("decompress|CRC"))
    with pytest.raises(UserError) as caught:
        unpack(archive(tmp_path / "c.whl", {"other": b"x"}), "pkg/model/", target, 100)
    check_spoken(caught.value, "archive_damaged", file="c.whl", reason="pkg/model/")
