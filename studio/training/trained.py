"""A model that is saved and waits for its report: which files it is, and how the trained one answered. No torch.

The file is there from the saving to the end of the report, so a run that is killed in between goes on with the report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.files import write_whole
from studio.tasks.base import Item

TRAINED = "trained.json"
MODEL = "model"


@dataclass(frozen=True)
class Trained:
    """After `step` the loop ended for `reason`; `answers` are what the model that was trained said, in `precision`, to
    the encoded rows `probe`. `files` are the saved model's by name, with the SHA-256 of each."""

    step: int
    reason: str
    precision: str
    probe: list[Item]
    answers: list[float]
    files: dict[str, str]


def keep_trained(
    run_dir: Path, step: int, reason: str, precision: str, probe: Sequence[Item], answers: Sequence[float]
) -> None:
    """Write down that model/ is whole, as it is now. Raises OSError."""
    made = Trained(step, reason, precision, list(probe), list(answers), _hashes(run_dir / MODEL))
    write_whole(run_dir / TRAINED, json.dumps(asdict(made)))


def read_trained(run_dir: Path) -> Trained | None:
    """What waits for its report; None where nothing does."""
    try:
        raw: dict[str, Any] = json.loads((run_dir / TRAINED).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Trained(**raw)


def forget_trained(run_dir: Path) -> None:
    """The report is written, or the model has to be saved anew."""
    (run_dir / TRAINED).unlink(missing_ok=True)


def damaged_file(run_dir: Path, trained: Trained) -> str:
    """The name of a file that is no longer what was saved; empty when all are."""
    found = _hashes(run_dir / MODEL)
    return min((name for name, known in trained.files.items() if found.get(name) != known), default="")


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as handle:
                found[file.relative_to(folder).as_posix()] = hashlib.file_digest(handle, "sha256").hexdigest()
    return found
