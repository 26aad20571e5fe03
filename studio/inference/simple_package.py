"""The download of a simple model: its own files and a `predict.py` that needs numpy alone. Imports no torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.evaluation.baseline import FOLDER, best, load_all

KEPT = ("baseline.json", "vocabulary.json", "vocabulary.npz", "weights.npz")
TRY = """
import json, runpy, sys
made = runpy.run_path(sys.argv[1])
found = [made["predict"](question) for question in json.load(sys.stdin)]
assert not [name for name in sys.modules if name.split(".")[0] in ("torch", "sklearn", "studio")]
json.dump(found, sys.stdout)
"""


def collect(run_dir: Path, folder: Path, snippet: Path, texts: list[str]) -> tuple[str, list[dict[str, float]]]:
    """Write the best simple model of a run to `folder`; its key, and its answers to `texts`, the likeliest first.

    Raises UserError (`model_gone`).
    """
    models = load_all(run_dir)
    key = best(models)
    if key is None:
        raise UserError("model_gone", run=run_dir.name)
    for name in KEPT:
        source = run_dir / FOLDER / key / name
        if source.is_file():
            shutil.copy(source, folder / name)
    shutil.copy(snippet, folder / "predict.py")
    answers = models[key].predict(texts)
    return key, [{answer["label"]: answer["scores"][answer["label"]], **answer["scores"]} for answer in answers]


def score_of(report: dict[str, Any], key: str) -> dict[str, float]:
    """The simple model's score on the test rows, as the report's ladder has it."""
    rung = next((rung for rung in report.get("ladder", []) if rung["key"] == key), None)
    return {report["main_metric"]: rung["score"]} if rung else {}
