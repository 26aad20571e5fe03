"""The keyword rules of a run as text that a person may edit: one "keyword: label" a line. An edit is scored at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from studio.data.store import find_version, read_rows
from studio.errors import UserError
from studio.evaluation.baseline import FOLDER, load
from studio.evaluation.metrics import score
from studio.evaluation.rules import Rules
from studio.spec import Spec
from studio.tasks.base import Row, tasks
from studio.training.rows import scored_places
from studio.workspace import Workspace


@dataclass(frozen=True)
class Edited:
    """What an edit did to the rules' score on the run's validation rows; None where it could not be taken."""

    metric: str
    before: float | None
    now: float | None
    rows: int


def rules_of(run_dir: Path) -> tuple[str, str]:
    """The run's rules as lines, and its labels as lines to describe; empty where the run has no rules."""
    if not (run_dir / FOLDER / Rules.key / "baseline.json").is_file():
        return "", ""
    model = _load(run_dir)
    lines = [f"{rule['keyword']}: {rule['label']}" for rule in model.rules]
    return "\n".join(lines), "\n".join(f"{label}: " for label in model.labels)


def save_rules(workspace: Workspace, run_dir: Path, spec: Spec, text: str) -> Edited:
    """Score edited rules and keep them. Raises UserError (`rules_label`, `rules_keyword`, `rules_many`) and changes
    nothing then."""
    model = _load(run_dir)
    pairs = [line.replace("：", ":").rpartition(":") for line in text.splitlines() if line.strip()]
    edited = model.edited([{"keyword": keyword.strip(), "label": label.strip()} for keyword, _, label in pairs])
    task = tasks.get(spec.task)
    rows = _validation_rows(workspace, run_dir, spec)
    rows = [row for row in rows if task.truth(row) in model.labels] or rows
    if rows:
        expected = [task.expected(row) for row in rows]
        found = score(task.result, edited.answer(task, rows), expected, {"labels": model.labels})
        edited.validation = found[task.main_metric]
    edited.save(run_dir / FOLDER / Rules.key)
    return Edited(task.main_metric, model.validation, edited.validation, len(rows))


def _load(run_dir: Path) -> Rules:
    try:
        model = load(run_dir / FOLDER / Rules.key)
    except FileNotFoundError as error:
        raise UserError("model_gone", run=run_dir.name) from error
    assert isinstance(model, Rules), "the folder is named after what it holds"
    return model


def _validation_rows(workspace: Workspace, run_dir: Path, spec: Spec) -> list[Row]:
    """The rows on which the run scores its model and draws its dashed lines; none where the data is gone."""
    try:
        places = json.loads((run_dir / "split.json").read_text("utf-8"))["validation"]
        scored = scored_places(places, tasks.get(spec.task), spec.seed)
        return list(read_rows(find_version(workspace, spec.data), spec.columns, scored))
    except (OSError, UserError):
        return []
