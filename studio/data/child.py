"""The limited child process that reads somebody's files: `python -m studio.data.child FOLDER NAME FILE FILENAME ...`.

It limits itself before it opens the file, tells its progress as JSON lines on standard output, and leaves
rows.parquet and profile.json in FOLDER. The last line is {"done": ...} or {"error": code, "values": {...}}.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import child
from studio.data import limits
from studio.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

    from studio.data.archives import Found
    from studio.data.rows import Table
    from studio.problem import Problem

_PACKED = (b"PK", b"\x1f\x8b")


def read(path: Path, name: str, folder: Path) -> dict[str, Any]:
    """`read_all` for a single file."""
    return read_all([(path, name)], name, folder)


def read_all(files: Sequence[tuple[Path, str]], name: str, folder: Path) -> dict[str, Any]:
    """Read files (path, what it is called) as one table called `name` into `folder` (exists, empty).

    Returns {"rows", "columns", "sha256"}, the last one a digest a file. Raises UserError.
    """
    from studio.data.archives import opened
    from studio.data.joining import Joined
    from studio.data.rows import Table

    sizes = [path.stat().st_size for path, _ in files]
    joined, before, total = Joined(), 0, sum(sizes)
    for (path, named), size in zip(files, sizes, strict=True):
        for found in opened(path, named, folder):
            share = size / max(1, found.path.stat().st_size)

            def heard(done: int, start: int = before, size: int = size, share: float = share) -> None:
                tell({"progress": [start + min(int(done * share), size), total]})

            # A file of several, or inside an archive, is named with where it lies.
            inside = found.path != path and len(files) > 1
            known = f"{named}/{found.name}" if inside else found.name
            table = Table(known, heard, joined.used)
            about = _fill(found, known, table)
            joined.add(known, table, about)
        before += size
    frame, notes = _publishable(joined.table(), folder)
    problems = [note.to_json() for note in (*joined.problems(), *notes)]
    made = _profile(frame, {**joined.about(), "name": name, "bytes": total, "problems": problems})
    (folder / "profile.json").write_text(json.dumps(made, ensure_ascii=False), "utf-8")
    return {
        "rows": made["rows"],
        "columns": [column["name"] for column in made["columns"]],
        "sha256": [_digest(path) for path, _ in files],
    }


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _fill(found: Found, name: str, table: Table) -> dict[str, Any]:
    from studio.data import binary, conll, delimited, jsonrows, po

    path, form, encoding = found.path, found.form, found.encoding
    about: dict[str, Any] = {"format": form, "encoding": encoding, "delimiter": "", "header": True}
    if form == "parquet":
        binary.read_parquet(path, name, table)
    elif form == "xlsx":
        about["header"] = binary.read_xlsx(path, name, table)
    elif form == "json":
        jsonrows.read_document(path, encoding, name, table)
    elif form == "jsonl":
        jsonrows.read_lines(path, encoding, name, table)
    elif form == "po":
        po.read(path, encoding, name, table)
    elif (tagged := conll.recognise(path, encoding, name)) is not None:
        conll.read(path, encoding, tagged, name, table)
        about.update(format="conll", header=False)
    else:
        dialect = delimited.recognise(path, encoding, name)
        delimited.read(path, encoding, dialect, name, table)
        about.update(delimiter=dialect.delimiter, header=dialect.header)
        about["format"] = {"\t": "tsv", "": "txt"}.get(dialect.delimiter, "csv")
    return about


def _publishable(table: pa.Table, folder: Path) -> tuple[pa.Table, list[Problem]]:
    """Write rows.parquet, annotations made readable, flushed to the disk; the Arrow table, and notes on columns that
    were made of others."""
    import pyarrow.parquet as pq

    from studio.data.annotated import readable
    from studio.data.labelsets import join

    made, notes = readable(table)
    made, note = join(made)
    with (folder / "rows.parquet").open("wb") as handle:
        # Small row groups let a page be read without the rest; zstd level 1 costs no more time than snappy.
        pq.write_table(made, handle, compression="zstd", compression_level=1, row_group_size=20_000)
        handle.flush()
        os.fsync(handle.fileno())
    return made, [*notes, note] if note else notes


def _profile(table: Any, about: dict[str, Any]) -> dict[str, Any]:
    import polars as pl

    from studio.data.profile import profile

    frame = pl.from_arrow(table)
    return {**about, **profile(frame)}  # type: ignore[arg-type]


def tell(message: dict[str, Any]) -> None:
    """One JSON line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def os_error(error: OSError, name: str) -> UserError:
    """The words for what the system refused while writing or reading."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError("data_disk_full", name=name)
    if error.errno == errno.EFBIG:
        return UserError("data_decodes_too_large", name=name, limit=limits.OUTPUT_BYTES // 2**20)
    return UserError("data_unreadable", name=name, reason=error.strerror or str(error))


def main(folder: str, name: str, *files: str) -> None:
    """Limit this process, read `files` (path, name, path, name, ...), and tell the outcome."""
    import resource

    pairs = [(Path(path), named) for path, named in zip(files[::2], files[1::2], strict=True)]
    try:
        seconds = limits.SECONDS + int(limits.SECONDS_PER_MB * sum(_weight(path) for path, _ in pairs) / 10**6)
        child.limit(memory=limits.MEMORY, seconds=seconds, file_bytes=limits.OUTPUT_BYTES)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        tell({"done": read_all(pairs, name, Path(folder))})
    except UserError as error:
        tell({"error": error.code, "values": error.values})
    except MemoryError:
        tell({"error": "data_too_much_memory", "values": {"name": name, "limit": limits.MEMORY // 2**20}})
    except OSError as error:
        told = os_error(error, name)
        tell({"error": told.code, "values": told.values})


def _weight(path: Path) -> int:
    """Bytes by which the time for reading a file is measured."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        packed = handle.read(2) in _PACKED
    return max(size, min(limits.UNPACKING * size, limits.UNPACKED_BYTES)) if packed else size


if __name__ == "__main__":
    main(*sys.argv[1:])
