"""The limited child process that works on versions: `python -m studio.data.workshop JOB`, a file of JSON.

{"kind": "mend" | "preview" | "examine" | "compare" | "grow", "name", ...}: each kind is one function below. The child
limits itself first and ends as `studio.data.process` says.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio import child
from studio.data import limits
from studio.data.child import os_error, tell
from studio.data.mending import ORIGINS, ROWS, Chosen, Outcome, Source, run_step
from studio.errors import UserError


def mend(job: dict[str, Any]) -> dict[str, Any]:
    """Run `steps` over the rows in `source`; leaves rows.parquet, origins.parquet and profile.json in `folder`.

    Returns {"rows", "columns", "sha256", "steps": [what each did, with examples]}.
    """
    from studio.data.profile import profile

    folder = Path(job["folder"])
    at, told, whole = Path(job["source"]), [], len(job["steps"])
    for turn, raw in enumerate(job["steps"]):
        made = folder / f"step-{turn}"
        made.mkdir()
        outcome = _run(Source(at), Chosen.from_json(raw), job["kinds"], made, turn, whole)
        told.append({**raw, **outcome.to_json(), "examples": outcome.examples})
        if at != Path(job["source"]):
            shutil.rmtree(at)
        at = made
    for name in (ROWS, ORIGINS):
        (at / name).rename(folder / name)
    at.rmdir()
    source = Source(folder)
    # Column by column, so that the memory is that of the largest one.
    columns = [column for name in source.columns() for column in profile(_column(source, name))["columns"]]
    made_of = {**job["about"], "problems": [], "rows": source.rows(), "columns": columns}
    (folder / "profile.json").write_text(json.dumps(made_of, ensure_ascii=False), "utf-8")
    with (folder / ROWS).open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"rows": source.rows(), "columns": list(source.columns()), "sha256": digest, "steps": told}


def _column(source: Source, name: str) -> Any:
    import polars as pl
    import pyarrow.parquet as pq

    return pl.from_arrow(pq.read_table(source.folder / ROWS, columns=[name], use_threads=False))


def preview(job: dict[str, Any]) -> dict[str, Any]:
    """What one step would do to the rows in `source`, with examples; nothing is kept."""
    outcome = _run(Source(Path(job["source"])), Chosen.from_json(job["step"]), job["kinds"], None, 0, 1)
    return {**outcome.to_json(), "examples": outcome.examples}


def _run(source: Source, chosen: Chosen, kinds: dict[str, str], target: Path | None, turn: int, whole: int) -> Outcome:
    def emit(done: int, total: int) -> None:
        tell({"progress": [turn * total + done, whole * total]})

    return run_step(source, chosen, kinds, target, emit)


def compare(job: dict[str, Any]) -> dict[str, Any]:
    """What `after` has that `before` has not, and the other way round."""
    from studio.data.comparing import compared

    return compared(Source(Path(job["before"])), Source(Path(job["after"])), bool(job["related"]))


def examine(job: dict[str, Any]) -> dict[str, Any]:
    """The doctor's findings for a use."""
    from studio.data.doctor.examining import examined

    def emit(done: int, total: int) -> None:
        tell({"progress": [done, total]})

    return examined(Source(Path(job["source"])), job, emit)


def grow(job: dict[str, Any]) -> dict[str, Any]:
    """Pairs of rows and the copies that augmentation would add."""
    from studio.data.growing import previewed

    return previewed(job)


Work = Callable[[dict[str, Any]], dict[str, Any]]
KINDS: dict[str, Work] = {"mend": mend, "preview": preview, "compare": compare, "examine": examine, "grow": grow}


def main(file: str, kinds: Mapping[str, Work] = KINDS) -> None:
    """Limit this process, do the job with one of `kinds`, and tell the outcome."""
    import resource

    job = json.loads(Path(file).read_text("utf-8"))
    tempfile.tempdir = str(Path(file).parent)  # the workspace's own disk, whatever the system's folder lies on
    try:
        # A job may say that it needs longer than reading does.
        seconds = int(job.get("seconds", limits.SECONDS)) + int(limits.WORK_SECONDS_PER_MB * job["bytes"] / 10**6)
        child.limit(memory=limits.MEMORY, seconds=seconds, file_bytes=limits.OUTPUT_BYTES)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        tell({"done": kinds[job["kind"]](job)})
    except UserError as error:
        tell({"error": error.code, "values": error.values})
    except MemoryError:
        tell({"error": "work_too_much_memory", "values": {"name": job["name"], "limit": limits.MEMORY // 2**20}})
    except OSError as error:
        told = os_error(error, job["name"])
        tell({"error": told.code, "values": told.values})


if __name__ == "__main__":
    main(sys.argv[1])
