"""What was measured of models on this machine: asked for while the Train tab is open, kept for every later plan.

A measurement is a short-lived child of the keeper. It waits for nobody and is left out while a run is at work, whose
steps it would slow down and which would make it look slow.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from studio import hardware
from studio.data.store import DataVersion, read_rows
from studio.data.use import Use
from studio.files import write_whole
from studio.models.card import Card, read_card
from studio.models.catalogue import card as card_of
from studio.models.catalogue import resolve
from studio.models.coverage import token_lengths
from studio.runs.files import read_json
from studio.runs.talks import places_of
from studio.spec import Spec
from studio.tasks.base import Row, tasks
from studio.training.language import language_method, language_task
from studio.training.measured import Measured
from studio.training.rates import freezes
from studio.workspace import Workspace, new_id

if TYPE_CHECKING:
    from studio.runs.desk import Desk

FORMAT = 1
PATIENCE = 90.0
"""Seconds after which a measurement is given up."""
_LOOKED_AT = 400
_TOKENS = 1024
"""Tokens a measured batch of a small encoder has at most: enough for a full machine, few enough to take a second."""
_SMALL = 12_000_000
"""Weights beside the word table from which on batches are smaller in proportion."""
_BUSY = 60.0
"""Percent of the processors in use beyond which a measurement would tell about the neighbours."""
_MOST_ROWS = 16
_LENGTHS = (0.1, 0.5, 0.98)
_ASKING = threading.Lock()


def known(workspace: Workspace, model: str, task: str, method: str, training: Mapping[str, Any]) -> Measured | None:
    """What was measured for this model, method and number format, None where nothing was."""
    raw = read_json(_file(workspace, model, task, method, training))
    try:
        return Measured.from_json(raw) if raw else None
    except TypeError:
        return None


def known_language(workspace: Workspace, card: Card, training: Mapping[str, Any]) -> Measured | None:
    """What was measured of learning the language first with the model of this card; None where nothing was."""
    task = language_task(card)
    return None if task is None else known(workspace, card.id, task.key, language_method().key, _spoken(card, training))


def language_spec(workspace: Workspace, spec: Spec) -> Spec:
    """A run of the first phase alone, of a spec whose model can learn the language first: what is measured of it."""
    card = card_of(workspace, spec.model)
    task, asked = language_task(card), tasks.get(spec.task).asked
    assert task is not None, spec.model
    text = next(spec.columns[role.key] for role in asked if spec.columns.get(role.key))
    options = {"training": _spoken(card, spec.options.get("training", {}))}
    method = language_method().key
    return dataclasses.replace(spec, task=task.key, columns={"text": text}, method=method, options=options)


def _spoken(card: Card, training: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a step of the first phase depends on."""
    kept = {name: training[name] for name in ("precision", "max_length") if name in training}
    return {**kept, "freeze_embeddings": "yes" if freezes(card, language_method()) else "no"}


def _file(workspace: Workspace, model: str, task: str, method: str, training: Mapping[str, Any]) -> Path:
    machine, folder = hardware.read(workspace), resolve(workspace, model)
    stamp = folder.stat().st_mtime_ns if folder is not None and folder.is_dir() else 0
    precision = str(training.get("precision", "auto"))
    if precision == "auto":
        precision = machine.precision if machine else ""
    table = "no" if training.get("freeze_embeddings") != "yes" else "yes"
    parts = [FORMAT, machine.fingerprint if machine else "", machine.threads if machine else 0]
    parts += [model, stamp, tasks.get(task).result, method, precision, table]
    if (optimizer := training.get("optimizer", "adamw")) != "adamw":
        parts.append(optimizer)
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return workspace.home / "speeds" / f"{key}.json"


def measure(desk: Desk, version: DataVersion, spec: Spec) -> bool:
    """Measure the spec's model on this data unless that is known; True when something new is known afterwards.

    Does nothing while a run is at work, while another measurement is, when the model is not on disk, or on a busy
    machine.
    """
    training = spec.options.get("training", {})
    folder = resolve(desk.workspace, spec.model) if spec.model else None
    if folder is None:
        return False
    file = _file(desk.workspace, spec.model, spec.task, spec.method, training)
    if file.exists() or any(view.active for view in desk.list()):
        return False
    if psutil.cpu_percent(interval=0.3) > _BUSY or not _ASKING.acquire(blocking=False):
        return False
    try:
        groups = _groups(version, spec, folder)
        if not groups:
            return False
        asked = {
            "folder": str(folder), "model": spec.model, "task": spec.task, "method": spec.method,
            "options": spec.options, "groups": groups,
        }  # fmt: skip
        return _ask(desk, asked, file)
    finally:
        _ASKING.release()


def _ask(desk: Desk, asked: dict[str, Any], file: Path) -> bool:
    place = desk.workspace.temporary / new_id("measure")
    place.mkdir(parents=True, mode=0o700)
    write_whole(place / "wanted.json", json.dumps({"wanted": asked, "file": str(file)}))
    desk.launcher.measure(place)
    end = time.monotonic() + PATIENCE
    while not file.exists() and not (place / "exit-1.json").exists() and time.monotonic() < end:
        time.sleep(0.1)
    return file.exists()


def _groups(version: DataVersion, spec: Spec, folder: Path) -> list[list[Row]]:
    """Rows of three lengths, the shortest first, as many as fill a small batch."""
    task = tasks.get(spec.task)
    use = Use(spec.task, dict(spec.columns), spec.split)
    rows = [row for row in read_rows(version, use.columns, places_of(version.rows, _LOOKED_AT)) if task.usable(row)]
    if len(rows) < len(_LENGTHS):
        return []
    sized = sorted(zip(token_lengths(folder, [task.whole(row) for row in rows]), range(len(rows)), strict=True))
    longest = int(spec.options.get("training", {}).get("max_length", 512))
    card = read_card(folder, spec.model)
    tokens = int(_TOKENS * min(1.0, _SMALL / max(card.parameters - card.embedding_parameters, 1)))
    groups: list[list[Row]] = []
    for share in _LENGTHS:
        place = min(len(sized) - 1, int(share * len(sized)))
        count = max(1, min(_MOST_ROWS, tokens // max(1, min(sized[place][0], longest)), len(rows) // 2))
        start = max(0, min(place - count // 2, len(sized) - count))
        groups.append([rows[number] for _, number in sized[start : start + count]])
    return groups


def main(folder: str, attempt: str) -> int:
    """The child: measure what wanted.json asks for and write it where it says."""
    from studio.training.measuring import Wanted
    from studio.training.measuring import measure as run

    asked = json.loads((Path(folder) / "wanted.json").read_text(encoding="utf-8"))
    workspace = Workspace.open(Path(folder).parents[1])
    wanted = Wanted(**{field.name: asked["wanted"][field.name] for field in dataclasses.fields(Wanted)})
    found = run(wanted, hardware.read_or_probe(workspace))
    file = Path(asked["file"])
    file.parent.mkdir(exist_ok=True, mode=0o700)
    write_whole(file, json.dumps(found.to_json()))
    return 0
