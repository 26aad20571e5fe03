"""Below the training's advanced settings: what augmentation would make, and which kinds cannot be used here and why."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr

from studio.data import lexicon
from studio.data.augment import Growth
from studio.data.store import find_version
from studio.data.versions import run_job
from studio.errors import UserError
from studio.models.filling import filler_folder, fillers
from studio.options import read_options
from studio.runs.objections import growing, with_filler
from studio.tasks.base import tasks
from studio.training.options import TrainingOptions
from studio.web.context import Page
from studio.web.island import island
from studio.web.tabs.given import read

FIELDS = ("augment", "augment_model", "augment_copies", "augment_share", "augment_most")


def panel(page: Page) -> tuple[gr.Button, gr.HTML]:
    """The button and what it fills, drawn into the current Blocks context."""
    button = gr.Button(page.t("web.train.augment_show"), size="sm", elem_id="train-augment-show")
    return button, island("augmented", {"reasons": reasons(page)}, elem_id="train-augmented")


def reasons(page: Page) -> list[list[str]]:
    """[kind, why it cannot be used] of the kinds that are greyed out."""
    told = []
    if not fillers(page.workspace):
        told.append([page.t("option.training.augment_context"), page.t("problem.augment_filler")])
    if lexicon.folder() is None:
        why = page.t("problem.augment_lexicon", lexicon=lexicon.NAME, package="wordnet-base")
        told.append([page.t("option.training.augment_synonyms"), why])
    told.append([page.t("web.train.augment_chinese"), page.t("web.train.augment_chinese_why")])
    return told


def wire(
    page: Page, button: gr.Button, shown: gr.HTML, given: gr.Textbox, options: dict[tuple[str, str, str], Any]
) -> None:
    """`given` says which data is on the form, `options` are its widgets."""

    @page.told
    def show(told: str, *values: Any) -> dict[str, Any]:
        filled = read(told)
        if not filled:
            raise UserError("no_data_chosen")
        raw = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
        asked, problems = read_options(TrainingOptions, "training", raw)
        if problems:
            raise gr.Error(problems[0].text(page.language), print_exception=False)
        return pairs_of(page, filled.data, filled.use, asked)

    inputs = [given, *(options["", "training", name] for name in FIELDS)]
    button.click(show, inputs, shown, api_visibility="private")


def pairs_of(page: Page, data: str, use: Any, asked: TrainingOptions) -> dict[str, Any]:
    """What the island draws for these options."""
    if asked.augment == "off":
        return {"line": page.t("web.train.augment_off"), "reasons": reasons(page)}
    version = find_version(page.workspace, data)
    chosen: dict[str, Any] = {"training": dataclasses.asdict(asked)}
    with_filler(page.workspace, chosen)
    asked = dataclasses.replace(asked, augment_model=chosen["training"]["augment_model"])
    if found := growing(page.workspace, tasks.get(use.task), asked):
        return {"line": found[0].text(page.language), "reasons": reasons(page)}
    growth = Growth(asked.augment, asked.augment_copies, asked.augment_share, asked.augment_most)
    job = {
        "kind": "grow", "source": str(version.folder), "task": use.task, "columns": use.columns,
        "split": dataclasses.asdict(use.split), "growth": dataclasses.asdict(growth), "seed": use.split.seed,
    }  # fmt: skip
    module = "studio.data.workshop"
    if asked.augment == "context":
        job["filler"] = str(filler_folder(page.workspace, asked.augment_model))
        module = "studio.inference.growing"
    told = run_job(page.workspace, version, job, None, module)
    code = "web.train.augment_line" if told["exact"] else "web.train.augment_about"
    line = page.t(code, train=told["train"], rows=told["rows"])
    if asked.augment == "context":
        titles = dict(fillers(page.workspace))
        line += " " + page.t("web.train.augment_filled", model=titles.get(asked.augment_model, asked.augment_model))
    if told["coverage"] is not None:
        values = {"percent": round(100 * told["coverage"]), "lexicon": lexicon.NAME, "licence": lexicon.LICENCE}
        line += " " + page.t("web.train.augment_coverage", **values)
    return {"line": line, "pairs": told["pairs"], "reasons": reasons(page)}
