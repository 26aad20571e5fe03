"""A whole file answered in the playground, with progress and a download; and its answers as data, to be corrected."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.answered import bring
from studio.data.importing import import_file
from studio.data.use import Use
from studio.errors import UserError
from studio.evaluation.baseline import best, load_all
from studio.inference.files import as_sheet
from studio.tasks.base import tasks
from studio.web.context import Page, owner
from studio.workspace import Workspace

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}
SIMPLE = "simple"
"""Who answers: the best simple model alone, not the tuned one."""
_OPEN = "(data) => { if (data) window.studio.open({ tab: 'data', data, run: '' }); }"


@dataclass(frozen=True)
class Answered:
    """A file that was answered: where the answers lie, what the file's own columns are, and which columns hold what
    was asked and what was answered (role -> column)."""

    run: str
    name: str
    path: Path
    own: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)


def has_model(run_dir: Path) -> bool:
    """Whether the run has a whole neural model; a half-written folder has no studio.json yet."""
    return (run_dir / "model" / "studio.json").is_file()


def whole_file(page: Page, run: gr.Dropdown, side: gr.Radio) -> None:
    """A whole file answered, with progress and a download."""
    with gr.Accordion(page.t("web.play.file"), open=False, elem_id="play-file"):
        with gr.Row():
            drop = gr.File(label=page.t("web.play.file_info"), type="filepath", height=110, elem_id="play-drop")
            result = gr.File(label=page.t("web.play.file_result"), interactive=False, height=110, elem_id="play-result")
        state = gr.Markdown(elem_id="play-file-state")
        correct = gr.Button(page.t("web.play.file_correct"), size="sm", visible=False, elem_id="play-file-correct")
    last, made = gr.State(None), gr.Textbox(visible="hidden", elem_classes="visually-hidden")

    @page.told
    def answer_file(chosen: str | None, path: str | None, asked: str | None) -> Iterator[tuple[Any, ...]]:
        if not chosen or not path:
            return
        yield page.t("web.play.working"), None, None, gr.Button(visible=False)
        try:
            for told in answered(page, chosen, Path(path), asked):
                if isinstance(told, str):
                    yield told, gr.skip(), gr.skip(), gr.skip()
                    continue
                found, rows = told
                as_sheet(found.path, sheet := found.path.with_suffix(".csv"))
                done, able = page.t("web.play.file_done", total=rows), set(found.columns) & truth_roles(page, chosen)
                yield done, str(sheet), found, gr.Button(visible=bool(able))
        except Exception as error:
            yield " ".join(page.sentences(error)), None, None, gr.Button(visible=False)

    @page.told
    def correct_file(found: Answered | None, request: gr.Request) -> str:
        return to_correct(page, found, owner(request))

    outputs = [state, result, last, correct]
    drop.upload(answer_file, [run, drop, side], outputs, concurrency_id="file", concurrency_limit=2, **QUIET)
    bringing: dict[str, Any] = {"concurrency_id": "import", "concurrency_limit": 2, "api_visibility": "private"}
    correct.click(correct_file, last, made, **bringing).success(None, made, None, js=_OPEN)


def answered(page: Page, run: str, given: Path, asked: str | None) -> Iterator[str | tuple[Answered, int]]:
    """How far it is, in words, and last the answers with the number of rows. `given` is gone afterwards."""
    folder = page.desk.folder(run)
    which = "tuned" if has_model(folder) and asked != SIMPLE else best(load_all(folder)) or ""
    # Asked about, not brought: the file is read in a place of its own and does not join the data sets.
    with tempfile.TemporaryDirectory(dir=page.workspace.temporary, prefix="ask-") as place:
        try:
            version = import_file(Workspace.open(place), "local", given, given.name)
        finally:
            given.unlink(missing_ok=True)
        out = page.workspace.temporary / "uploads" / uuid.uuid4().hex / f"{given.stem[:60]}-answers.jsonl"
        out.parent.mkdir(parents=True, mode=0o700)
        for step in page.inference.predict_file(folder, version.rows_path, out, which):
            if not step.finished:
                yield page.t("web.play.file_progress", done=step.done, total=step.total)
                continue
            yield Answered(run, given.name, out, version.columns, step.columns | step.truths), version.rows


def truth_roles(page: Page, run: str) -> frozenset[str]:
    """Roles of the run's task that hold the truth."""
    return tasks.get(page.desk.get(run).task).truth_roles


def to_correct(page: Page, found: Answered | None, who: str) -> str:
    """The answers as a data set of `who`; its id. Raises UserError (`answers_gone`)."""
    if found is None or not found.path.is_file():
        raise UserError("answers_gone")
    view = page.desk.get(found.run)
    origin = {"kind": "run", "id": found.run, "name": view.name or found.run, "file": found.name}
    use, called = Use(view.task, found.columns), page.t("web.play.file_called", file=found.name)
    return bring(page.workspace, who, found.path, found.own, use, origin, called).version
