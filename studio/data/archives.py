"""The files inside a ZIP or GZ archive, unpacked one after the other while real bytes are counted.

A member's name is shown and never used as a path: every member is written to the same file, which the reader is handed
and which is gone before the next. What headers say about sizes is not believed, and archives inside are not opened.
"""

from __future__ import annotations

import gzip
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from studio.data import limits
from studio.data.rows import tidy_name
from studio.data.sniffing import sniff
from studio.errors import UserError

BAD_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_CHUNK = 2**20
_BESIDE = re.compile(
    r"(?i)(^|/)(__macosx/|\.|thumbs\.db$|desktop\.ini$|(readme|license|licence|copying|citation|changelog)[^/]*$)"
    r"|\.(md|rst|pdf|docx?|html?|xml|png|jpe?g|gif|svg|py|r|ipynb|sh|sha256|md5|yaml|yml|toml)$"
)
"""Members that come beside data and are none: what systems leave, licences, descriptions, pictures, programs."""
_LOCKED = 0x1
_UTF8 = 0x800
_NAMED = 120


class Found(NamedTuple):
    """A file to be read: where it is, what it is called, and what `sniff` says of it."""

    path: Path
    name: str
    form: str
    encoding: str


def opened(path: Path, name: str, scratch: Path) -> Iterator[Found]:
    """The file itself, or one after the other those inside it where it is an archive; each is gone when the next is
    asked for. `scratch` is a folder to unpack in. Raises UserError of `sniff` and of archives (`data_archive_*`)."""
    form, encoding = sniff(path, name)
    if form not in ("zip", "gzip"):
        yield Found(path, name, form, encoding)
        return
    place = scratch / "unpacked"
    total = 0
    try:
        for inner, stream in _zipped(path, name) if form == "zip" else _gzipped(path, name):
            total = _write(stream, place, name, total)
            told = sniff(place, inner)
            if told[0] in ("zip", "gzip"):
                raise UserError("data_archive_nested", name=name, member=inner)
            yield Found(place, inner, *told)
    except (*BAD_ZIP, gzip.BadGzipFile) as error:
        raise UserError("data_damaged", name=name, reason=str(error)[:160]) from error
    finally:
        place.unlink(missing_ok=True)


def is_beside(member: str) -> bool:
    """Whether a member of that name is taken for no data."""
    return bool(_BESIDE.search(member))


def _zipped(path: Path, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > limits.ARCHIVE_MEMBERS:
            raise UserError("data_archive_many", name=name, count=len(members), limit=limits.ARCHIVE_MEMBERS)
        chosen = [one for one in members if not one.is_dir() and not _is_link(one) and not is_beside(_name(one))]
        if not chosen:
            raise UserError("data_archive_empty", name=name, members=[_name(one) for one in members[:5]] or ["-"])
        for one in chosen:
            if one.flag_bits & _LOCKED:
                raise UserError("data_archive_locked", name=name)
            with archive.open(one) as stream:
                yield _name(one), stream


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _name(member: zipfile.ZipInfo) -> str:
    """What a member is called. Names not marked as UTF-8 are so all the same, or in the encoding of a Chinese system:
    zipfile takes them for the letters of the first PC."""
    name = member.filename
    if not member.flag_bits & _UTF8 and not name.isascii():
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return tidy_name(name.replace("\\", "/").lstrip("/"), _NAMED) or "-"


def _gzipped(path: Path, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(path) as stream:
        yield name[:-3] if name.lower().endswith(".gz") else name, stream  # type: ignore[misc]


def _write(stream: IO[bytes], place: Path, name: str, total: int) -> int:
    """Unpack one member; returns the bytes unpacked so far. Raises UserError (`data_unpacks_too_large`)."""
    with place.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            if total > limits.UNPACKED_BYTES:
                raise UserError("data_unpacks_too_large", name=name, limit=limits.UNPACKED_BYTES // 10**6)
            file.write(chunk)
    return total
