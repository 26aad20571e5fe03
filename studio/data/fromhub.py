"""A data set of the Hugging Face hub as a data version: its files are fetched by the hub's child process and read by
the importing one, under the limits of any upload.

A token given for it reaches the first child by its standard input and is kept nowhere.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

from studio.data import limits
from studio.data.importing import import_files
from studio.data.store import DataVersion
from studio.errors import UserError
from studio.models import hub
from studio.workspace import Workspace, new_id

_ID = re.compile(r"(?:[\w.-]{1,96}/)?[\w.-]{1,96}", re.ASCII)
_PAGE = re.compile(r"^(?:https?://[^/]+/)?(?:datasets/)?")
_SPOKEN = ("gated", "no_access", "not_found", "unreachable", "offline", "busy", "refused", "failed")
"""Ends that are told otherwise of a data set than of a model."""


def checked(text: str) -> str:
    """The id in what was typed, which may be the address of the data set's page. Raises UserError (`set_id`)."""
    found = _PAGE.sub("", text.strip().partition("?")[0].partition("#")[0]).strip("/")
    if not _ID.fullmatch(found) or ".." in found:
        raise UserError("set_id", value=text.strip()[:80])
    return found


def look(workspace: Workspace, name: str, token: str = "") -> dict[str, Any]:
    """What the data set has: {"revision", "configs": [{"name", "splits": [{"name", "files", "bytes"}]}], "licence"}.

    Raises UserError (`set_*`, `hub_token_refused`) with a sentence for every way it can fail.
    """
    try:
        return hub.asked(workspace, "set-look", name, {"name": name}, token)
    except UserError as error:
        raise spoken(error, name) from None


def bring(
    workspace: Workspace,
    owner: str,
    name: str,
    part: tuple[str, str],
    token: str = "",
    emit: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> DataVersion:
    """The rows of `part` (configuration, split or "" for all) as a version of `owner`. `emit(stage, done, total)` hears
    bytes of "fetch" and "read", and may raise to stop. Raises UserError as `look`, `set_part_unknown`, `set_large`,
    `disk_space`, `disk_full_download`, and those of imports; nothing is left behind."""
    work = workspace.temporary / new_id("set")
    folder, total = work / "model", work / "total"
    config, split = part
    request = {"name": name, "folder": str(folder), "config": config, "split": split, "total": str(total)}

    def seen() -> None:
        emit("fetch", *hub.seen(folder, total))

    def read(done: int, whole: int) -> None:
        emit("read", done, whole)

    try:
        folder.mkdir(mode=0o700, parents=True)
        told = hub.run("set-fetch", name, {**request, "most": limits.UPLOAD_BYTES}, work, seen, token)
        files = [(folder / path, called) for called, path in told["files"]]
        origin = {"kind": "hub", "id": name, "revision": told["revision"], "config": config, "split": split}
        return import_files(workspace, owner, files, read, called=_called(name, config, split), origin=origin)
    except UserError as error:
        raise spoken(error, name) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _called(name: str, config: str, split: str) -> str:
    parts = [name.rpartition("/")[2], config if config != "default" else "", split]
    return " · ".join(part for part in parts if part)


def spoken(error: UserError, name: str) -> UserError:
    """An error of the hub's client in the words for data sets."""
    what = error.code.removeprefix("hub_")
    if not error.code.startswith("hub_") or what not in _SPOKEN:
        return error
    return UserError(f"set_{what}", **{**error.values, "name": name})
