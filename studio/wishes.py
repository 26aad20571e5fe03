"""What `studio train` was asked for, and the run that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.data.importing import import_files
from studio.data.roles import columns_for
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.runs.desk import Desk
from studio.runs.draft import Draft, again, draft, use_of
from studio.runs.settings import read_settings
from studio.runs.speeds import measure
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.terminal import Terminal
from studio.workspace import Workspace

OWNER = "local"
"""Who owns what is made from a terminal of this machine."""


@dataclass(frozen=True)
class Wish:
    """What `train` was given; empty means that the studio chooses."""

    spec: Path | None
    data: tuple[Path, ...]
    task: str
    model: str
    method: str
    preset: str
    settings: tuple[str, ...]


def imported(terminal: Terminal, workspace: Workspace, files: Sequence[Path]) -> DataVersion:
    """The files, one after the other, as a data version of the workspace, told while they are read."""
    name = ", ".join(file.name for file in files)

    def heard(done: int, total: int) -> None:
        terminal.progress(terminal.say("cli.reading", name=name, share=round(100 * done / max(1, total))))

    return import_files(workspace, OWNER, [(file, file.name) for file in files], heard)


def from_spec(workspace: Workspace, wish: Wish) -> tuple[Draft, str]:
    """The draft of a saved description, which may be given alone only."""
    assert wish.spec is not None
    if wish.data or wish.settings or wish.task or wish.model or wish.method or wish.preset:
        raise UserError("spec_and_choices")
    try:
        spec = Spec.loads(wish.spec.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("file_unreadable", path=str(wish.spec), reason=str(error)) from error
    made = again(workspace, spec, "", OWNER)
    return made, spec.name


def from_data(terminal: Terminal, desk: Desk, wish: Wish) -> tuple[Draft, str]:
    """The draft for a file and a few choices; the model's steps are measured first where that can be done."""
    workspace = desk.workspace
    if not wish.data:
        raise UserError("nothing_to_train")
    version = imported(terminal, workspace, wish.data)
    use, code, values, sure = use_of(workspace, version)
    task = wish.task or use.task
    if not task:
        raise UserError("task_not_clear", question=terminal.say(code, **values))
    settings = read_settings(wish.settings, task, wish.method)
    guessed = use.columns if task == use.task else columns_for(version.profile()["columns"], tasks.get(task))
    columns = {**guessed, **settings.columns}
    required = {role.key for role in tasks.get(task).roles if role.required}
    if not sure and not required <= set(columns):
        raise UserError("columns_not_clear", question=terminal.say(code, **values), columns=list(version.columns))

    def drafted() -> Draft:
        return draft(
            workspace,
            version,
            use=Use(task, columns, settings.split_of(use.split)),
            model=wish.model,
            method=wish.method,
            preset=wish.preset,
            options=settings.options,
            name=settings.name,
            owner=OWNER,
        )

    made = drafted()
    if not any(problem.severity == "error" for problem in made.problems):
        terminal.progress(terminal.say("cli.measuring"))
        made = drafted() if measure(desk, version, made.spec) else made
    return made, version.name
