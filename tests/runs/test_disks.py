"""A workspace on a network's filesystem is refused, by every way in."""

from __future__ import annotations

from pathlib import Path

import pytest
from spoken import check_spoken

from studio.errors import UserError
from studio.runs import disks
from studio.runs.claim import claim
from studio.runs.desk import Desk

MOUNTS = """\
overlay / overlay rw 0 0
tmpfs /tmp tmpfs rw 0 0
box:/export /srv/team\\040share nfs4 rw 0 0
/dev/sdb1 /srv/team\\040share/local ext4 rw 0 0
me@box:/ /mnt/far fuse.sshfs rw 0 0
/dev/fuse /mnt/near fuse.ntfs-3g rw 0 0
//box/c /mnt/twice cifs rw 0 0
/dev/sdc1 /mnt/twice ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/ann/studio", "overlay"),
        ("/srv/team share/studio", "nfs4"),
        ("/srv/team share/local/studio", "ext4"),
        ("/srv/team share2", "overlay"),
        ("/mnt/far", "fuse.sshfs"),
        ("/mnt/near/studio", "fuse.ntfs-3g"),
        ("/mnt/twice/studio", "ext4"),
    ],
)
def test_the_innermost_and_latest_mount_counts(tmp_path, place, kind):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert disks.kind_of(Path(place), tmp_path / "mounts") == kind
    assert disks.kind_of(Path(place), tmp_path / "none") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.rclone"])
def test_a_workspace_on_a_network_is_refused_before_anything_is_written(workspace, tmp_path, monkeypatch, kind):
    (tmp_path / "mounts").write_text(f"overlay / overlay rw 0 0\nbox:/x {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mounts")
    before = sorted(workspace.home.rglob("*"))
    with pytest.raises(UserError) as caught:
        Desk(workspace)
    check_spoken(caught.value, "home_on_network", path=str(workspace.home), kind=kind)
    with pytest.raises(UserError) as caught, claim(workspace, "http://here"):
        raise AssertionError("claimed")
    assert caught.value.code == "home_on_network"
    assert sorted(workspace.home.rglob("*")) == before


def test_disks_of_this_machine_are_taken(workspace, tmp_path, monkeypatch):
    (tmp_path / "mounts").write_text(f"overlay / overlay rw 0 0\n/dev/sda1 {tmp_path} ext4 rw 0 0\n")
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mounts")
    Desk(workspace).close()
