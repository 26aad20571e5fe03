"""Which models there are: the starters, what was fetched, hub models worth knowing, folders a person put into the
workspace or names, and the one that is made anew for each run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import UserError
from studio.files import write_whole
from studio.models import earlier, scratch
from studio.models.card import Card, read_card
from studio.models.known import known
from studio.models.starters import STARTERS
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.tasks.base import Task

_HUB = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")


def place(workspace: Workspace, model_id: str) -> Path:
    """Where `model_id` lies once it is on disk. Raises UserError (`model_id`) for what is not a model id."""
    source, _, name = model_id.partition(":")
    if earlier.is_run(model_id):
        return earlier.run_folder(workspace, model_id) / "model"
    if source == "starter" and name in STARTERS:
        return workspace.models / f"starter-{name}"
    if scratch.is_scratch(model_id):
        return workspace.models / f"scratch-{name}"
    if source == "hub" and _HUB.fullmatch(name) and ".." not in name and "--" not in name:
        return workspace.models / f"hub--{name.replace('/', '--')}"
    if source == "local" and name and "\0" not in name:
        return Path(name).expanduser()
    raise UserError("model_id", value=model_id[:120], starters=[starter.id for starter in STARTERS.values()])


def absolute(model_id: str) -> str:
    """The id with a local folder as an absolute path: a worker has another current folder than who asked."""
    source, _, name = model_id.partition(":")
    if source != "local" or not name or "\0" in name:
        return model_id
    return f"local:{os.path.abspath(Path(name).expanduser())}"


def resolve(workspace: Workspace, model_id: str) -> Path | None:
    """The folder of a model that is on disk, None for one that has to be fetched (a damaged copy has to, too).

    Raises UserError for what is not a model id and for a local folder that is not there.
    """
    if earlier.is_run(model_id):
        return earlier.resolve(workspace, model_id)  # good for measuring; a run that continues makes its own base
    folder = place(workspace, model_id)
    if model_id.startswith("local:"):
        if not folder.is_dir():
            raise UserError("model_no_folder", folder=str(folder))
        return folder
    if scratch.is_scratch(model_id):
        return None  # a run makes it of its own rows
    try:
        read_card(folder, model_id)
    except UserError:
        return None
    return folder


def card(workspace: Workspace, model_id: str) -> Card:
    """The card of one model, from its files where they are. Raises UserError for an unknown id or a bad folder.

    A hub model that was not fetched yet has the card the catalogue knows; where it knows none: UserError
    (`model_not_fetched`).
    """
    if earlier.is_run(model_id):
        return earlier.card(workspace, model_id)
    folder = resolve(workspace, model_id)
    if folder is not None:
        return read_card(folder, model_id)
    source, _, name = model_id.partition(":")
    if scratch.is_scratch(model_id):
        return scratch.CARD
    if source == "starter":
        return STARTERS[name].card
    if source == "hub" and (found := _seen(workspace, model_id)):
        return found
    if model_id in known():
        return known()[model_id]
    raise UserError("model_not_fetched", model=model_id)


def list_models(workspace: Workspace) -> list[Card]:
    """The starters, the one made from scratch, then every usable model folder in the workspace, by title. A broken
    folder is left out."""
    cards = [*(card(workspace, starter.id) for starter in STARTERS.values()), scratch.CARD]
    own = []
    for folder in sorted(workspace.models.iterdir()) if workspace.models.is_dir() else []:
        if folder.name.startswith((".", "starter-", "scratch-")) or not folder.is_dir():
            continue
        try:
            own.append(read_card(folder, _id_of(folder)))
        except UserError:
            continue
    return cards + sorted(own, key=lambda item: item.title.lower())


def remember(workspace: Workspace, item: Card) -> None:
    """Keep the card of a hub model that was looked at, so that a plan knows its size before it is fetched."""
    write_whole(_seen_file(workspace, item.id), json.dumps(item.to_json()))


def _seen_file(workspace: Workspace, model_id: str) -> Path:
    return workspace.models / f".seen-{place(workspace, model_id).name}.json"


def _seen(workspace: Workspace, model_id: str) -> Card | None:
    try:
        return Card.from_json(json.loads(_seen_file(workspace, model_id).read_text("utf-8")))
    except (OSError, ValueError, TypeError, AttributeError):  # none, or written by another release
        return None


def offered(workspace: Workspace) -> list[Card]:
    """What a picker offers: everything of `list_models`, then the hub models worth knowing that are not here yet."""
    here = list_models(workspace)
    ids = {item.id for item in here}
    return here + [item for item in known().values() if item.id not in ids]


def fits(task: Task, item: Card) -> bool:
    """Whether a picker offers this model for the task: its kind fits, and where rows are conversations, a model that is
    not here yet brings a chat template."""
    talks = task.kind.conversational and not item.on_disk
    return item.kind in task.models and (item.has_chat_template or not talks)


def _id_of(folder: Path) -> str:
    if folder.name.startswith("hub--"):
        return "hub:" + folder.name.removeprefix("hub--").replace("--", "/")
    return f"local:{folder}"
