"""Playground: your words in, its answer out, beside what came before. Widgets belong to a result kind."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.importing import import_file
from studio.data.store import find_version, read_rows
from studio.errors import UserError
from studio.evaluation.baseline import best, load_all
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.describe import describe
from studio.web.island import island, lead
from studio.web.tabs import bounds, chatting
from studio.web.tabs.choose import finished_runs, pick
from studio.web.tabs.rules import rules_of, save_rules
from studio.workspace import Workspace

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}
SLOW: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
# The answers tell themselves that they are being worked on; Gradio would dim the whole block, that sentence with it.
HIDDEN: dict[str, Any] = {**SLOW, "show_progress": "hidden"}
EXAMPLES = 8
ALL, SIMPLE = "all", "simple"
"""Whose answers are shown: every model's side by side, or the best simple one's alone."""


@dataclass
class Widgets:
    """The tab's components; each group is shown for its result kind."""

    run: gr.Dropdown
    which: gr.Radio
    examples: gr.HTML
    labels: gr.Column
    chat: gr.Column
    text: gr.Textbox
    answers: gr.HTML
    rules: gr.Textbox
    scored: gr.Markdown
    descriptions: gr.Textbox


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context and wire it."""
    lead(page.t("web.play.lead"))
    run = gr.Dropdown(label=page.t("web.play.run"), info=page.t("web.play.run_info"), choices=[], elem_id="play-run")
    sides = [(page.t("web.play.which_all"), ALL), (page.t("web.play.which_simple"), SIMPLE)]
    which = gr.Radio(sides, value=ALL, label=page.t("web.play.which"), visible=False, elem_id="play-which")
    with gr.Column(visible=False, elem_id="play-labels") as labels:
        with gr.Row(equal_height=True):
            text = gr.Textbox(
                label=page.t("web.play.text"),
                placeholder=page.t("web.play.placeholder"),
                lines=3,
                max_lines=12,
                max_length=bounds.TEXT,
                elem_id="play-text",
                scale=5,
            )
            send = gr.Button(page.t("web.play.send"), variant="primary", elem_id="play-send", scale=1, min_width=110)
        answers = island("answers", elem_id="play-answers")
        with gr.Accordion(page.t("web.play.descriptions"), open=False):
            descriptions = gr.Textbox(
                label=page.t("web.play.descriptions"), show_label=False, lines=4, max_length=bounds.LINES
            )
        with gr.Accordion(page.t("web.play.rules"), open=False):
            rules = gr.Textbox(
                label=page.t("web.play.rules"), show_label=False, lines=6, max_length=bounds.RULES, elem_id="play-rules"
            )
            keep = gr.Button(page.t("web.play.rules_save"), size="sm", elem_id="play-rules-save")
            scored = gr.Markdown(elem_id="play-rules-score")
    with gr.Column(visible=False, elem_id="play-chat") as chat:
        talk = chatting.build(page, run)
    examples = island("examples", elem_id="play-examples")
    widgets = Widgets(run, which, examples, labels, chat, text, answers, rules, scored, descriptions)
    _file(page, run, which)
    page.parts["play_run"] = run
    page.parts["play_which"] = which
    _wire(page, widgets, send, keep, talk)


def _wire(page: Page, widgets: Widgets, send: gr.Button, keep: gr.Button, talk: chatting.Talk) -> None:
    @page.told
    def choose(run: str | None) -> list[Any]:
        """Show the widgets of the run's result kind and held-out rows to try."""
        if not run:
            return [*[gr.Column(visible=False)] * 2, gr.Radio(visible=False), [], None, "", "", ""]
        kind, folder = tasks.get(page.desk.get(run).task).result, page.desk.folder(run)
        rules, descriptions = rules_of(folder) if kind == "labels" else ("", "")
        both = gr.Radio(visible=bool(rules or descriptions) and has_model(folder))
        shown = [gr.Column(visible=kind == "labels"), gr.Column(visible=kind == "chat"), both]
        return [*shown, held_out(page, run), None, rules, "", descriptions]

    shown = [widgets.labels, widgets.chat, widgets.which, widgets.examples, widgets.answers]
    widgets.run.change(choose, widgets.run, [*shown, widgets.rules, widgets.scored, widgets.descriptions], **QUIET)
    widgets.run.input(None, widgets.run, None, js="(run) => window.studio.open({ run, tab: 'playground' }, true)")

    @page.told
    def answer(run: str | None, text: str, described: str, which: str | None) -> dict[str, Any] | None:
        return classify(page, run, text, described, which)

    inputs = [widgets.run, widgets.text, widgets.descriptions, widgets.which]
    asking = gr.on(
        [send.click, widgets.text.submit],
        answer,
        inputs,
        widgets.answers,
        concurrency_id="predict",
        concurrency_limit=4,
        **HIDDEN,
    )

    @page.told
    def try_example(run: str | None, described: str, which: str | None, event: gr.EventData) -> list[Any]:
        row = bounds.sent(event).get("row")
        found = next((item for item in held_out(page, run or "") if item["row"] == row), None)
        if not run or found is None:
            return [gr.skip()] * 3
        if found["kind"] == "chat":
            return [gr.skip(), gr.skip(), found["text"]]
        shown = classify(page, run, found["text"][: bounds.TEXT], described, which)
        return [found["text"], {**(shown or {}), "truth": found["truth"]}, gr.skip()]

    asked = [widgets.run, widgets.descriptions, widgets.which]
    trying = widgets.examples.click(try_example, asked, [widgets.text, widgets.answers, talk.message], **HIDDEN)
    for done in (asking, trying):
        # Also after a refusal, which hands no answer on.
        done.then(None, None, None, js="() => window.dispatchEvent(new Event('studio:answered'))")

    @page.told
    def keep_rules(run: str | None, rules: str) -> str:
        return told_edit(page, run, rules) if run else ""

    keep.click(keep_rules, [widgets.run, widgets.rules], widgets.scored, **QUIET)


def told_edit(page: Page, run: str, rules: str) -> str:
    """Keep edited rules, and say what that did to their score."""
    text = bounds.bounded(rules, bounds.RULES)
    edited = save_rules(page.workspace, page.desk.folder(run), page.desk.spec(run), text)
    if edited.now is None:
        return page.t("web.play.rules_saved")
    before = "–" if edited.before is None else f"{edited.before:.3f}"
    metric = page.t(f"metric.{edited.metric}")
    return page.t("web.play.rules_scored", metric=metric, score=f"{edited.now:.3f}", before=before, rows=edited.rows)


def classify(page: Page, run: str | None, text: str, described: str, which: str | None = None) -> dict[str, Any] | None:
    """The tuned model's bars beside what came before it, or those of the simple model alone. Raises UserError
    (`text_empty`, `text_long`)."""
    if not run:
        return None
    if not text or not text.strip():
        raise UserError("text_empty")
    bounds.bounded(text, bounds.TEXT)
    described = bounds.bounded(described, bounds.LINES)
    folder = page.desk.folder(run)
    answers: list[dict[str, Any]] = []
    if key := simple_alone(folder, which):
        alone = page.inference.predict(folder, [text], key)
        title = page.t("web.play.simple", name=page.t(f"ladder.{key}"))
        answers = [{"title": title, "note": "", "prediction": alone.predictions[0]}]
        return {"answers": answers, "ms": alone.milliseconds, "truth": "", "text": text}
    before = page.inference.before(folder, [text], _descriptions(described))
    for found in before["answers"]:
        name = page.t(f"ladder.{found['key']}")
        untuned = found["key"] == "untuned"
        title = page.t("web.play.untuned") if untuned else page.t("web.play.simple", name=name)
        note = page.t("web.play.untuned_note") if untuned else ""
        answers.append({"title": title, "note": note, "prediction": found["predictions"][0]})
    milliseconds = None
    if has_model(folder):
        tuned = page.inference.predict(folder, [text])
        milliseconds = tuned.milliseconds
        answers.insert(0, {"title": page.t("web.play.tuned"), "note": "", "prediction": tuned.predictions[0]})
    elif answers and (told := describe(page.desk, page.desk.get(run), page.language)["without_model"]):
        answers[-1]["note"] = told
    return {"answers": answers, "ms": milliseconds, "truth": "", "text": text}


def has_model(run_dir: Path) -> bool:
    """Whether the run has a whole neural model; a half-written folder has no studio.json yet."""
    return (run_dir / "model" / "studio.json").is_file()


def simple_alone(run_dir: Path, which: str | None) -> str | None:
    """The simple model that shall answer alone, when a person chose so; None where it has nothing beside it."""
    return best(load_all(run_dir)) if which == SIMPLE and has_model(run_dir) else None


def _descriptions(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in (text or "").replace("：", ":").splitlines())
    return {label.strip(): told.strip() for label, colon, told in pairs if colon and told.strip()}


def held_out(page: Page, run: str) -> list[dict[str, Any]]:
    """Some test rows of a run with their truth: rows no model of the run trained on."""
    if not run:
        return []
    folder = page.desk.folder(run)
    split = folder / "split.json"
    if not split.is_file():
        return []
    spec = page.desk.spec(run)
    places = json.loads(split.read_text(encoding="utf-8"))["test"][:EXAMPLES]
    try:
        rows = read_rows(find_version(page.workspace, spec.data), spec.columns, places)
    except UserError:
        return []
    task = tasks.get(spec.task)
    return [
        {"row": place, "text": task.question(row), "truth": task.truth(row) or "", "kind": task.result}
        for place, row in zip(places, rows, strict=True)
    ]


def _file(page: Page, run: gr.Dropdown, side: gr.Radio) -> None:
    """A whole file answered, with progress and a download."""
    with gr.Accordion(page.t("web.play.file"), open=False, elem_id="play-file"):
        with gr.Row():
            drop = gr.File(label=page.t("web.play.file_info"), type="filepath", height=110, elem_id="play-drop")
            result = gr.File(label=page.t("web.play.file_result"), interactive=False, height=110, elem_id="play-result")
        state = gr.Markdown(elem_id="play-file-state")

    @page.told
    def answer_file(chosen: str | None, path: str | None, asked: str | None) -> Iterator[tuple[Any, Any]]:
        if not chosen or not path:
            return
        folder, given = page.desk.folder(chosen), Path(path)
        tuned = has_model(folder) and asked != SIMPLE
        which = "tuned" if tuned else best(load_all(folder)) or "tfidf"
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

    drop.upload(answer_file, [run, drop, side], [state, result], concurrency_id="file", concurrency_limit=2, **QUIET)


def arrive(page: Page, address: dict[str, str]) -> dict[str, Any]:
    """Choices and value for an address."""
    if address["tab"] != "playground":
        return {}
    choices = finished_runs(page, "can_play")
    side = SIMPLE if address["with"] == SIMPLE else ALL
    return {
        "play_run": gr.Dropdown(choices=choices, value=pick(choices, address["run"])),
        "play_which": gr.Radio(value=side),
    }
