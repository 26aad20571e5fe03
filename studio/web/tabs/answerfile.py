"""A whole file answered in the playground, with progress and a download."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.importing import import_file
from studio.evaluation.baseline import best, load_all
from studio.web.context import Page
from studio.workspace import Workspace

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}
SIMPLE = "simple"
"""Who answers: the best simple model alone, not the tuned one."""


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

    def answering(chosen: str, given: Path, asked: str | None) -> Iterator[tuple[Any, Any]]:
        folder = page.desk.folder(chosen)
        tuned = has_model(folder) and asked != SIMPLE
        which = "tuned" if tuned else best(load_all(folder)) or ""
        # Asked about, not brought: the file is read in a place of its own and does not join the data sets.
        with tempfile.TemporaryDirectory(dir=page.workspace.temporary, prefix="ask-") as place:
            try:
                version = import_file(Workspace.open(place), "local", given, given.name)
            finally:
                given.unlink(missing_ok=True)
            out = page.workspace.temporary / "uploads" / uuid.uuid4().hex / f"{given.stem[:60]}-answers.csv"
            out.parent.mkdir(parents=True, mode=0o700)
            for step in page.inference.predict_file(folder, version.rows_path, out, which):
                if not step.finished:
                    yield page.t("web.play.file_progress", done=step.done, total=step.total), gr.skip()
        yield page.t("web.play.file_done", total=version.rows), str(out)

    @page.told
    def answer_file(chosen: str | None, path: str | None, asked: str | None) -> Iterator[tuple[Any, Any]]:
        if not chosen or not path:
            return
        yield page.t("web.play.working"), None
        try:
            yield from answering(chosen, Path(path), asked)
        except Exception as error:
            yield " ".join(page.sentences(error)), None

    drop.upload(answer_file, [run, drop, side], [state, result], concurrency_id="file", concurrency_limit=2, **QUIET)
