"""Finds runs again from their folders when the database was lost: the folder holds all but the state."""

from __future__ import annotations

import json
from pathlib import Path

from studio.data.store import find_version
from studio.errors import UserError
from studio.runs.ending import judge, unknown
from studio.runs.journal import attempts_of
from studio.runs.store import Store
from studio.runs.tables import attempts, jobs
from studio.spec import Spec


def rebuild(store: Store) -> int:
    """Write a row for every run folder; each run is shown as it ended, or as interrupted. Returns how many."""
    found = 0
    for path in sorted(store.workspace.home.glob("*/runs/*/spec.json")):
        try:
            spec = Spec.loads(path.read_text(encoding="utf-8"))
        except (UserError, UnicodeDecodeError, OSError):
            continue
        _add(store, path.parent, spec, path.stat().st_mtime)
        found += 1
    return found


def _add(store: Store, folder: Path, spec: Spec, created: float) -> None:
    numbers = attempts_of(folder)
    last = numbers[-1] if numbers else 0
    ending = judge(folder, last) or unknown(last)
    run = {
        "id": folder.name,
        "owner": folder.parent.parent.name,
        "name": spec.name or spec.task,
        "task": spec.task,
        "model": spec.model,
        "method": spec.method,
        "data": spec.data,
        "data_name": _data_name(store, spec.data),
        "preset": spec.preset,
        "created": created,
    }
    store.add_run({**run, "key": None}, None)
    job = store.last_job(folder.name)
    started, ended = _worked(folder, created)
    with store.writing() as connection:
        for number in numbers:
            made = {"run": folder.name, "number": number, "job": job.id, "handle": "{}", "created": created}
            connection.execute(attempts.insert().values(**made))
        values = {"state": ending.state, "attempt": last, "started": started, "ended": ended, **ending.columns()}
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))


def _data_name(store: Store, data: str) -> str:
    try:
        return find_version(store.workspace, data).name
    except UserError:
        return ""


def _worked(folder: Path, created: float) -> tuple[float, float]:
    """A beginning and an end that lie as far apart as all attempts worked together; the end is the last event's."""
    worked, ended = 0.0, 0.0
    for path in folder.glob("events-*.jsonl"):
        with path.open(encoding="utf-8", errors="replace") as lines:
            times = [time for line in lines if (time := _time(line)) is not None]
        if times:
            worked, ended = worked + max(times) - min(times), max(ended, *times)
    return (ended - worked, ended) if ended else (created, created)


def _time(line: str) -> float | None:
    """When the event of a line happened; None for a torn line."""
    try:
        return float(json.loads(line)["time"])
    except (ValueError, KeyError, TypeError):
        return None
