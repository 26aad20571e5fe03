"""The keyword rules of a run as text that a person may edit: one "keyword: label" a line."""

from __future__ import annotations

from pathlib import Path

from studio.errors import UserError
from studio.evaluation.baseline import FOLDER, load
from studio.evaluation.rules import Rules


def rules_of(run_dir: Path) -> tuple[str, str]:
    """The run's rules as lines, and its labels as lines to describe; empty where the run has no rules."""
    folder = run_dir / FOLDER / Rules.key
    if not (folder / "baseline.json").is_file():
        return "", ""
    model = load(folder)
    assert isinstance(model, Rules), "the folder is named after what it holds"
    lines = [f"{rule['keyword']}: {rule['label']}" for rule in model.rules]
    return "\n".join(lines), "\n".join(f"{label}: " for label in model.labels)


def save_rules(run_dir: Path, text: str) -> None:
    """Keep edited rules. Raises UserError (`rules_label`, `rules_keyword`, `rules_many`) and changes nothing then."""
    folder = run_dir / FOLDER / Rules.key
    if not (folder / "baseline.json").is_file():
        raise UserError("model_gone", run=run_dir.name)
    model = load(folder)
    assert isinstance(model, Rules), "the folder is named after what it holds"
    pairs = [line.replace("：", ":").rpartition(":") for line in text.splitlines() if line.strip()]
    rules = [{"keyword": keyword.strip(), "label": label.strip()} for keyword, _, label in pairs]
    model.edited(rules).save(folder)
