"""The limited child process that reads somebody's file: `python -m studio.data.child FILE NAME FOLDER`.

It limits itself before it opens the file, tells its progress as JSON lines on standard output, and leaves
rows.parquet and profile.json in FOLDER. The last line is {"done": ...} or {"error": code, "values": {...}}.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from studio import child
from studio.data import limits
from studio.errors import UserError


def read(path: Path, name: str, folder: Path) -> dict[str, Any]:
    """Read `path` into `folder` (exists, empty) and return {"rows", "columns", "sha256"}. Raises UserError."""
    from studio.data.rows import Table

    size = path.stat().st_size
    table = Table(name, lambda done: tell({"progress": [min(done, size), size]}))
    about = _fill(path, name, table)
    frame, notes = _publishable(table, folder)
    problems = [*table.to_json(), *(note.to_json() for note in notes)]
    made = _profile(frame, {**about, "name": name, "bytes": size, "problems": problems})
    (folder / "profile.json").write_text(json.dumps(made, ensure_ascii=False), "utf-8")
    with path.open("rb") as handle:
        return {
            "rows": made["rows"],
            "columns": [column["name"] for column in made["columns"]],
            "sha256": hashlib.file_digest(handle, "sha256").hexdigest(),
        }


def _fill(path: Path, name: str, table: Any) -> dict[str, Any]:
    from studio.data import binary, conll, delimited, jsonrows, po
    from studio.data.sniffing import sniff

    form, encoding = sniff(path, name)
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


def _publishable(table: Any, folder: Path) -> tuple[Any, list[Any]]:
    """Write rows.parquet, annotations made readable, flushed to the disk; the Arrow table, and notes on columns that
    were made of others."""
    import pyarrow.parquet as pq

    from studio.data.annotated import readable
    from studio.data.labelsets import join

    made, notes = readable(table.finish())
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


def main(file: str, name: str, folder: str) -> None:
    """Limit this process, read, and tell the outcome."""
    import resource

    path = Path(file)
    try:
        seconds = limits.SECONDS + int(limits.SECONDS_PER_MB * path.stat().st_size / 10**6)
        child.limit(memory=limits.MEMORY, seconds=seconds, file_bytes=limits.OUTPUT_BYTES)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        tell({"done": read(path, name, Path(folder))})
    except UserError as error:
        tell({"error": error.code, "values": error.values})
    except MemoryError:
        tell({"error": "data_too_much_memory", "values": {"name": name, "limit": limits.MEMORY // 2**20}})
    except OSError as error:
        told = os_error(error, name)
        tell({"error": told.code, "values": told.values})


if __name__ == "__main__":
    main(*sys.argv[1:4])
