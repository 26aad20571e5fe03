"""Finds runs again from their folders when the database was lost: the folder holds all but the state."""

from __future__ import annotations

from pathlib import Path

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
        "data_name": "",
        "preset": spec.preset,
        "created": created,
    }
    store.add_run({**run, "key": None}, None)
    job = store.last_job(folder.name)
    ended = max((path.stat().st_mtime for path in folder.glob("events-*.jsonl")), default=created)
    with store.writing() as connection:
        for number in numbers:
            made = {"run": folder.name, "number": number, "job": job.id, "handle": "{}", "created": created}
            connection.execute(attempts.insert().values(**made))
        values = {"state": ending.state, "attempt": last, "started": created, "ended": ended, **ending.columns()}
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
