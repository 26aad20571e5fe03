"""Whether a workspace lies on a disk of this machine: locks and the database cannot be trusted on a network's."""

from __future__ import annotations

import os
import re
from pathlib import Path

from studio.errors import UserError
from studio.workspace import Workspace

MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs ncpfs afs ceph lustre gpfs beegfs ocfs2 gfs2 pvfs2 davfs coda".split()
)
_NETWORK_FUSE = ("sshfs", "glusterfs", "s3fs", "gcsfuse", "rclone", "davfs", "ceph", "smb", "curlftpfs", "juicefs")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def refuse_network(workspace: Workspace, mounts: Path | None = None) -> None:
    """Raises UserError (`home_on_network`) for a workspace on a network filesystem.

    Where the system does not list its mounts (macOS, Windows) nothing is known and nothing refused.
    """
    kind = kind_of(workspace.home, mounts or MOUNTS)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind.removeprefix("fuse.").startswith(_NETWORK_FUSE)):
        raise UserError("home_on_network", path=str(workspace.home), kind=kind)


def kind_of(folder: Path, mounts: Path) -> str:
    """The type of the filesystem that holds `folder`, "" where that is not told. The later of two equal mounts counts,
    since it covers the earlier."""
    try:
        lines = mounts.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    here, best, found = os.path.realpath(folder), -1, ""
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), parts[1])
        inside = here == place or here.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= best:
            best, found = len(place), parts[2]
    return found
