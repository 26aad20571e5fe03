"""Folders of this machine that a page may name as models: which places are open to it, and what lies there.

The command line asks nobody: who runs it may read what the account may read. A page is asked by whoever is let in.
"""

from __future__ import annotations

import os
from pathlib import Path

from studio.errors import UserError
from studio.workspace import Workspace

SETTING = "STUDIO_MODEL_ROOTS"
"""Environment variable with further folders, separated as in PATH; they replace the account's home."""
MOST = 40
"""Folders that are offered."""
_DEEP = 3
"""Levels below a folder that somebody named as a place for models."""
_LOOKED_AT = 2000


def roots(workspace: Workspace) -> list[Path]:
    """The folders below which a page may open models: those of STUDIO_MODEL_ROOTS, else the account's home; and the
    workspace's own models."""
    named = [part for part in os.environ.get(SETTING, "").split(os.pathsep) if part.strip()]
    places = [Path(part).expanduser() for part in named] or [Path.home()]
    return [Path(os.path.realpath(place)) for place in (*places, workspace.models)]


def checked(workspace: Workspace, model_id: str) -> str:
    """`model_id` with the real path of its folder where it names one; other models as they are.

    Raises UserError (`model_folder_closed`) for a folder, or a file in it, that links or leads out of the roots.
    Nothing is said of what lies there.
    """
    source, _, name = model_id.partition(":")
    if source != "local":
        return model_id
    open_to = roots(workspace)
    if not name.strip() or "\0" in name:
        raise UserError("model_no_folder", folder=name[:120].replace("\0", "?"))
    folder = os.path.realpath(Path(name.strip()).expanduser())
    if not _inside(folder, open_to):
        raise UserError("model_folder_closed", folder=name[:200], roots=[str(root) for root in open_to])
    if os.path.isdir(folder):
        for entry in os.scandir(folder):
            # The hub's own cache links every file to a folder beside it.
            if entry.is_symlink() and not _inside(os.path.realpath(entry.path), open_to):
                raise UserError("model_folder_closed", folder=entry.path[:200], roots=[str(root) for root in open_to])
    return f"local:{folder}"


def _inside(path: str, open_to: list[Path]) -> bool:
    return any(Path(path).is_relative_to(root) for root in open_to)


def found(workspace: Workspace) -> list[Path]:
    """Folders with a config.json to choose from: below the folders that were named, and in the hub client's cache."""
    named = [part for part in os.environ.get(SETTING, "").split(os.pathsep) if part.strip()]
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
    open_to = roots(workspace)
    seen: list[Path] = []
    for folder in [item for part in named for item in _below(Path(os.path.realpath(Path(part).expanduser())))]:
        if (folder / "config.json").is_file():
            seen.append(folder)
    for config in sorted(cache.glob("models--*/snapshots/*/config.json"))[:_LOOKED_AT]:
        if _inside(os.path.realpath(config.parent), open_to):
            seen.append(config.parent)
    return list(dict.fromkeys(seen))[:MOST]


def _below(root: Path) -> list[Path]:
    """`root` and the folders in it, a few levels deep, hidden ones and links left out."""
    level, every = [root], [root]
    for _ in range(_DEEP):
        level = [item for folder in level for item in _folders(folder)]
        every += level
        if len(every) > _LOOKED_AT:
            break
    return every[:_LOOKED_AT]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            Path(entry.path)
            for entry in os.scandir(folder)
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )
    except OSError:
        return []
