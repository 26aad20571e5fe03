"""Asks for the rows of a data version that look mislabelled: the work is done by a limited child
(`python -m studio.evaluation.doubting JOB`), what it said is kept beside the version, and so is what a person turned
down."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data import workshop
from studio.data.child import tell
from studio.data.process import Progress
from studio.data.store import DataVersion, load_version, read_rows
from studio.data.use import Use
from studio.data.versions import run_job
from studio.errors import UserError
from studio.files import write_whole
from studio.tasks.base import Task, tasks
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.evaluation.doubts import Judged

log = logging.getLogger(__name__)
JUDGE = 1
"""Part of the name under which answers are kept: other rules judge again."""
_SECONDS = 600
_TEXT = 400
_PREDICTIONS = "predictions.jsonl"


def suggestions(
    workspace: Workspace, version: DataVersion, use: Use, run: Path | None = None, emit: Progress | None = None
) -> dict[str, Any]:
    """{"looked", "usable", "count", "analyser", "quality", "run", "doubts": [{"row" (from 1), "text", "label",
    "suggested", "sure", "given", "by"}]}, without what was turned down. `run` is the folder of a finished run on this
    version, whose test answers count too.

    Raises UserError (`doubts_task`, those of `doubts`, and what ends the work badly).
    """
    if not fits(tasks.get(use.task)):
        raise UserError("doubts_task", task_code=f"task.{use.task}.title")
    kept = _kept(version, use, run)
    try:
        told: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError):
        job = {"kind": "doubt", "source": str(version.folder), "task": use.task, "columns": use.columns}
        about = {**job, "run": str(run) if run else "", "seconds": _SECONDS}
        told = run_job(workspace, version, about, emit, "studio.evaluation.doubting")
        _keep(kept, told)
    gone = turned_down(version, use)
    return {**told, "doubts": [doubt for doubt in told["doubts"] if doubt["row"] not in gone]}


def fits(task: Task) -> bool:
    """Whether rows of the task have one label each, which another could take the place of."""
    return task.result == "labels"


def turned_down(version: DataVersion, use: Use) -> set[int]:
    """Numbers (from 1) of the rows whose label somebody confirmed."""
    try:
        return {int(row) for row in json.loads(_refused(version, use).read_text("utf-8"))}
    except (OSError, ValueError, TypeError):
        return set()


def turn_down(version: DataVersion, use: Use, row: int, back: bool = False) -> None:
    """Remember that the label of a row is right as it is; `back` forgets it again."""
    rows = turned_down(version, use)
    rows = rows - {row} if back else rows | {row}
    write_whole(_refused(version, use), json.dumps(sorted(rows)))


def _keep(path: Path, told: dict[str, Any]) -> None:
    try:
        write_whole(path, json.dumps(told, ensure_ascii=False))
    except OSError as error:
        log.warning("suggestions were not kept: %s", error)  # the answer is as good, and is only asked for again


def _kept(version: DataVersion, use: Use, run: Path | None) -> Path:
    asked = json.dumps([JUDGE, use.task, sorted(use.columns.items()), run.name if run else ""]).encode()
    return version.folder / f"doubts-{hashlib.sha256(asked).hexdigest()[:16]}.json"


def _refused(version: DataVersion, use: Use) -> Path:
    asked = json.dumps([use.task, sorted(use.columns.items())]).encode()
    return version.folder / f"confirmed-{hashlib.sha256(asked).hexdigest()[:16]}.json"


def doubt(job: Mapping[str, Any]) -> dict[str, Any]:
    """The child's work: read the rows, judge them, name the doubted ones."""
    from studio.evaluation.doubts import MOST_ROWS, doubted

    version, task = load_version(Path(job["source"])), tasks.get(job["task"])
    if version is None:
        raise UserError("data_unknown", version=Path(job["source"]).name)
    step = max(1, -(-version.rows // MOST_ROWS))
    places = range(0, version.rows, step)
    rows = read_rows(version, job["columns"], places)
    usable = [(place, row) for place, row in zip(places, rows, strict=True) if task.usable(row)]
    texts = [task.question(row) for _, row in usable]
    labels = [task.truth(row) or "" for _, row in usable]
    at = {place: spot for spot, (place, _) in enumerate(usable)}
    said = {
        at[place]: scores
        for place, truth, scores in (_answers(Path(job["run"])) if job["run"] else ())
        if place in at and labels[at[place]] == truth
    }
    judged = doubted(texts, labels, said, lambda done, total: tell({"progress": [done, total]}))
    return _told(judged, [place for place, _ in usable], texts, len(said), version.rows)


def _told(judged: Judged, places: list[int], texts: list[str], answers: int, rows: int) -> dict[str, Any]:
    from studio.evaluation.doubts import MOST

    listed = [
        {**one.to_json(), "row": places[one.place] + 1, "text": texts[one.place][:_TEXT]}
        for one in judged.doubts[:MOST]
    ]
    return {
        "looked": len(places),
        "rows": rows,
        "count": len(judged.doubts),
        "analyser": judged.analyser,
        "quality": round(judged.quality, 4),
        "answers": answers,
        "doubts": listed,
    }


def _answers(run: Path) -> Iterator[tuple[int, str, dict[str, float]]]:
    """(place in the data, label given, scores) of the test rows of a run."""
    try:
        with (run / _PREDICTIONS).open(encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                if isinstance(entry.get("scores"), dict):
                    yield int(entry["row"]), str(entry["truth"]), entry["scores"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("the answers of %s cannot be read: %s", run.name, error)


if __name__ == "__main__":
    workshop.main(sys.argv[1], {"doubt": doubt})
