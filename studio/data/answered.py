"""A run's answers to a file as a data version of their own, to be corrected and learnt from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.data.child import os_error
from studio.data.importing import import_files
from studio.data.store import DataVersion
from studio.data.use import Use, save_use
from studio.workspace import Workspace

SURE = ("confidence", "answer_score")
"""Columns that say how sure an answer is: what to look at first."""


def bring(
    workspace: Workspace,
    owner: str,
    answers: Path,
    keep: Sequence[str],
    use: Use,
    origin: dict[str, Any],
    called: str,
) -> DataVersion:
    """The rows of `answers` (JSON Lines, as `inference.files` writes them) with the columns in `keep`, those of `use`
    and how sure the answers are. `use` says which columns hold what was asked and answered; `origin` is {"kind": "run",
    "id", "name", "file"}. Raises UserError of imports; the answers themselves stay where they are."""
    path = workspace.temporary / f"answers-{secrets.token_hex(8)}.jsonl"
    wanted = {*keep, *use.columns.values(), *SURE}
    try:
        with answers.open(encoding="utf-8") as lines, path.open("w", encoding="utf-8") as out:
            for line in lines:
                cells = {name: cell for name, cell in json.loads(line).items() if name in wanted}
                out.write(json.dumps(cells, ensure_ascii=False) + "\n")
        made = import_files(workspace, owner, [(path, "answers.jsonl")], called=called, origin=origin)
    except OSError as error:
        raise os_error(error, called) from error
    finally:
        path.unlink(missing_ok=True)
    if set(use.columns.values()) <= set(made.columns):
        save_use(workspace, owner, made.version, use)
    return made
