"""Versions made from versions: an ordered list of steps over the file that was brought in makes a new version.

The same steps over the same file are the same version, so that taking a step back finds what was there. The work is
done by a limited child (`studio.data.workshop`); this process publishes its result in one rename.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio.data import process
from studio.data.child import os_error
from studio.data.importing import publish
from studio.data.mending import Chosen, Source
from studio.data.process import Progress
from studio.data.steps import set_cells
from studio.data.store import DataVersion, find_version, list_versions, open_version
from studio.data.use import Use, save_use, saved_use
from studio.errors import UserError
from studio.workspace import Workspace

MENDER = 1
"""Part of the id of every version made by steps: steps that work differently make new versions."""
DELETED = "deleted"
"""The folder beside the versions in which deleted ones lie until they are removed for good."""
_ENDS = process.Ends("work_too_slow", "work_too_much_memory", "work_broke")
_MOST_STEPS = 100


def steps_of(version: DataVersion) -> list[Chosen]:
    """The steps a version was made by, in their order; none for one that was brought in."""
    return [Chosen(str(step["step"]), dict(step["options"])) for step in version.steps]


def root_of(workspace: Workspace, version: DataVersion, who: str | None = None) -> DataVersion:
    """The version that was brought in. Raises UserError (`data_unknown`) where it is gone."""
    return find_version(workspace, version.root, who) if version.root else version


def family(workspace: Workspace, version: DataVersion, who: str | None = None) -> list[DataVersion]:
    """All versions that come from the same file, that one first, then by age."""
    root = version.root or version.version
    found = [one for one in list_versions(workspace, who) if root in (one.version, one.root)]
    return sorted(found, key=lambda one: (bool(one.root), one.created))


def mend(
    workspace: Workspace,
    owner: str,
    version: DataVersion,
    further: Sequence[Chosen],
    use: Use | None = None,
    emit: Progress | None = None,
) -> DataVersion:
    """The version with some further steps. `use` is how it will be used, unless the version's own is confirmed.

    Raises UserError of the steps, or for what ends the work badly, with nothing left behind.
    """
    return make(workspace, owner, version, [*steps_of(version), *_pinned(version, further)], use, emit)


def _pinned(version: DataVersion, further: Sequence[Chosen]) -> list[Chosen]:
    """The steps with corrections by hand named by the file's rows: they hold on to these when an earlier step is taken
    out. Only the first step meets the rows as they are known here."""
    if not further or further[0].key != set_cells.SetCells.key:
        return list(further)
    first, *rest = further
    _, options = first.read()
    edits = set_cells.pinned(options.edits, Source(version.folder).origins())
    return [Chosen(first.key, {**first.options, "edits": edits}), *rest]


def undo(
    workspace: Workspace, owner: str, version: DataVersion, turn: int | None = None, emit: Progress | None = None
) -> DataVersion:
    """The version without its step number `turn` (from 0), the last one where nothing is said; later steps are done
    again. Raises UserError (`nothing_to_undo`, and what the later steps say of rows without it)."""
    if not version.steps:
        raise UserError("nothing_to_undo", name=version.name)
    chosen = steps_of(version)
    del chosen[-1 if turn is None else turn]
    return make(workspace, owner, version, chosen, None, emit)


def make(
    workspace: Workspace,
    owner: str,
    version: DataVersion,
    chosen: Sequence[Chosen],
    use: Use | None = None,
    emit: Progress | None = None,
) -> DataVersion:
    """The version that these steps make of the file behind `version`; made only where it is not there already."""
    root = root_of(workspace, version)
    if not chosen:
        return root
    if len(chosen) > _MOST_STEPS:
        raise UserError("steps_many", count=len(chosen), most=_MOST_STEPS)
    typed = [_typed(step) for step in chosen]
    names = [_id(owner, root.version, typed[:count]) for count in range(1, len(typed) + 1)]
    made = workspace.data(owner, names[-1])
    if not made.is_dir():
        # From the longest beginning that is there, so that a further step costs that step alone.
        known = next((n for n in range(len(names) - 1, 0, -1) if workspace.data(owner, names[n - 1]).is_dir()), 0)
        start = open_version(workspace, owner, names[known - 1]) if known else root
        _restore(made)
        if not made.is_dir():
            _make(workspace, owner, (root, version, start), typed[known:], made, emit)
    if saved_use(workspace, owner, made.name) is None:
        kept = saved_use(workspace, version.owner, version.version) or use
        found = open_version(workspace, owner, made.name)
        if kept is not None and kept.task and set(kept.columns.values()) <= set(found.columns):
            save_use(workspace, owner, made.name, kept)
    return open_version(workspace, owner, made.name)


def _typed(chosen: Chosen) -> dict[str, Any]:
    """The step with all its options spelt out, so that equal steps are written equally."""
    step, options = chosen.read()
    return {"step": step.key, "options": dataclasses.asdict(options)}


def _id(owner: str, root: str, typed: Sequence[dict[str, Any]]) -> str:
    told = json.dumps([MENDER, owner, root, typed], ensure_ascii=True, sort_keys=True)
    return "d-" + hashlib.sha256(told.encode()).hexdigest()[:16]


def _make(
    workspace: Workspace,
    owner: str,
    line: tuple[DataVersion, DataVersion, DataVersion],
    typed: Sequence[dict[str, Any]],
    final: Path,
    emit: Progress | None,
) -> None:
    root, version, start = line
    folder = workspace.temporary / f"mend-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    profile = start.profile()
    about = {key: profile.get(key, "") for key in ("format", "encoding", "delimiter", "header", "name", "bytes")}
    job = {"kind": "mend", "source": str(start.folder), "folder": str(folder), "steps": typed, "kinds": kinds_of(start)}
    try:
        done = run_job(workspace, start, {**job, "about": about}, emit)
        changes = changes_of(start) + [step.pop("examples") for step in done["steps"]]
        source = {
            "name": root.name,
            "sha256": done["sha256"],
            "created": time.time(),
            "sample": root.sample,
            **({"origin": root.origin} if root.origin else {}),
            "root": root.version,
            "parent": version.version,
            "who": owner,
            "rows": done["rows"],
            "columns": done["columns"],
            "steps": [*start.steps, *done["steps"]],
        }
        (folder / "source.json").write_text(json.dumps(source, ensure_ascii=False), "utf-8")
        (folder / "changes.json").write_text(json.dumps(changes, ensure_ascii=False), "utf-8")
        publish(folder, final)
    except OSError as error:
        raise os_error(error, root.name) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def changes_of(version: DataVersion) -> list[list[dict[str, Any]]]:
    """For each step of a version a few examples of what it changed."""
    try:
        found: list[list[dict[str, Any]]] = json.loads((version.folder / "changes.json").read_text("utf-8"))
    except (OSError, ValueError):
        return [[] for _ in version.steps]
    return found


def kinds_of(version: DataVersion) -> dict[str, str]:
    """What the profile takes each column for."""
    return {str(column["name"]): str(column["kind"]) for column in version.profile()["columns"]}


def preview(workspace: Workspace, version: DataVersion, chosen: Chosen, emit: Progress | None = None) -> dict[str, Any]:
    """What a step would do to a version: {"rows", "changed", "dropped", "added", "examples"}."""
    job = {"kind": "preview", "source": str(version.folder), "step": _typed(chosen), "kinds": kinds_of(version)}
    return run_job(workspace, version, job, emit)


def compare(workspace: Workspace, before: DataVersion, after: DataVersion) -> dict[str, Any]:
    """What one version has that the other has not (see `studio.data.comparing`)."""
    related = (before.root or before.version) == (after.root or after.version)
    job = {"kind": "compare", "before": str(before.folder), "after": str(after.folder), "related": related}
    return run_job(workspace, after, job, None)


def run_job(
    workspace: Workspace,
    version: DataVersion,
    job: dict[str, Any],
    emit: Progress | None,
    module: str = "studio.data.workshop",
) -> dict[str, Any]:
    """Have a limited child (`module`) do a job on a version. Raises UserError for what it, or its end, says."""
    file = workspace.temporary / f"job-{secrets.token_hex(8)}.json"
    size = version.rows_path.stat().st_size * max(1, len(job.get("steps", ())))
    # Text is packed about fivefold in Parquet.
    told = {**job, "name": version.name, "bytes": 5 * size}
    try:
        file.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
        return process.run([module, str(file)], version.name, emit or (lambda *_: None), _ENDS)
    except OSError as error:
        raise os_error(error, version.name) from error
    finally:
        file.unlink(missing_ok=True)


def delete(workspace: Workspace, version: DataVersion, used_by: Sequence[str]) -> None:
    """Put a version aside; `restore` brings it back until `purge` removes it for good.

    Raises UserError (`version_used` with the names of the runs that were made with it, `version_has_children`).
    """
    if used_by:
        raise UserError("version_used", name=version.name, count=len(used_by), runs=list(used_by)[:5])
    children = [one for one in list_versions(workspace) if one.root == version.version]
    if children:
        raise UserError("version_has_children", name=version.name, count=len(children))
    aside = version.folder.parent / DELETED / version.version
    aside.parent.mkdir(exist_ok=True, mode=0o700)
    shutil.rmtree(aside, ignore_errors=True)
    version.folder.rename(aside)
    os.utime(aside)


def restore(workspace: Workspace, owner: str, version: str) -> DataVersion:
    """Bring back what `delete` put aside. Raises UserError (`data_unknown`)."""
    _restore(workspace.data(owner, version))
    return open_version(workspace, owner, version)


def _restore(final: Path) -> None:
    aside = final.parent / DELETED / final.name
    if aside.is_dir() and not final.is_dir():
        aside.rename(final)


def held(workspace: Workspace, owner: str, version: str) -> DataVersion:
    """The version that a run of `owner` needs, also where it was deleted at the moment the run was asked for.

    Raises UserError (`data_unknown`).
    """
    _restore(workspace.data(owner, version))
    return find_version(workspace, version, owner)


def purge(workspace: Workspace, older_than: float, needed: Callable[[str], bool] = lambda version: False) -> int:
    """Remove for good what was deleted more than `older_than` seconds ago and is not `needed`; how many versions."""
    limit = time.time() - older_than
    old = [one for one in workspace.home.glob(f"*/data/{DELETED}/d-*") if one.stat().st_mtime <= limit]
    gone = [one for one in old if not needed(one.name)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return len(gone)
