"""The download of a simple model: its own files and a `predict.py` that needs numpy alone. Imports no torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.evaluation.baseline import FOLDER, best, load_all
from studio.tasks.base import Row, Task

TRY = """
import json, runpy, sys
made = runpy.run_path(sys.argv[1])
ask = made.get("numbers") or made["predict"]
found = [ask(question) for question in json.load(sys.stdin)]
assert not [name for name in sys.modules if name.split(".")[0] in ("torch", "sklearn", "studio")]
json.dump(found, sys.stdout)
"""


def collect(
    run_dir: Path, folder: Path, snippet: Path, task: Task, rows: Sequence[Row]
) -> tuple[str, list[dict[str, float]]]:
    """Write the best simple model of a run to `folder`; its key, and its answers to `rows` as numbers: labels with the
    likeliest first, or "score".

    Raises UserError (`model_gone`).
    """
    models = load_all(run_dir)
    key = best(models)
    if key is None:
        raise UserError("model_gone", run=run_dir.name)
    for source in sorted((run_dir / FOLDER / key).iterdir()):
        if source.is_file():
            shutil.copy(source, folder / source.name)
    shutil.copy(snippet, folder / "predict.py")
    return key, [_numbers(answer) for answer in models[key].answer(task, rows)]


def _numbers(answer: dict[str, Any]) -> dict[str, float]:
    """An answer of any kind with label scores, or with a score alone."""
    if "label" in answer:
        return {answer["label"]: answer["scores"][answer["label"]], **answer["scores"]}
    return dict(answer["scores"]) if "scores" in answer else {"score": float(answer["score"])}


def score_of(report: dict[str, Any], key: str) -> dict[str, float]:
    """The simple model's score on the test rows, as the report's ladder has it."""
    rung = next((rung for rung in report.get("ladder", []) if rung["key"] == key), None)
    return {report["main_metric"]: rung["score"]} if rung else {}
