"""Playground: your words in, its answer out, beside what came before. Widgets belong to a result kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.store import find_version, read_rows
from studio.errors import UserError
from studio.evaluation.baseline import best, load_all
from studio.inference.adapters import can_be_turned_down
from studio.tasks.base import Row, Task, tasks
from studio.tasks.earlier import EARLIER
from studio.web.context import Page
from studio.web.describe import describe
from studio.web.island import island, lead
from studio.web.kinds.base import More, faces
from studio.web.tabs import bounds, conversing
from studio.web.tabs.answerfile import QUIET, SIMPLE, has_model, whole_file
from studio.web.tabs.choose import finished_runs, pick
from studio.words import has

SLOW: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
# The answers tell themselves that they are being worked on; Gradio would dim the whole block, that sentence with it.
HIDDEN: dict[str, Any] = {**SLOW, "show_progress": "hidden"}
EXAMPLES = 8
ALL = "all"
"""Who answers: every model, side by side."""


@dataclass
class Widgets:
    """The tab's components. `more` are those of a kind, shown for its runs; `boxes` and `answers` serve all others."""

    run: gr.Dropdown
    which: gr.Radio
    strength: gr.Slider
    examples: gr.HTML
    asking: gr.Column
    boxes: list[gr.Textbox]
    earlier: gr.Textbox
    answers: gr.HTML
    more: dict[str, More]

    def inputs(self) -> list[Any]:
        """What an answer is made from."""
        further = [part for more in self.more.values() for part in more.inputs]
        return [self.run, self.which, *self.boxes, self.earlier, *further, self.strength]


def build(page: Page) -> None:
    """Draw the tab into the current Blocks context and wire it."""
    lead(page.t("web.play.lead"))
    run = gr.Dropdown(label=page.t("web.play.run"), info=page.t("web.play.run_info"), choices=[], elem_id="play-run")
    sides = [(page.t("web.play.which_all"), ALL), (page.t("web.play.which_simple"), SIMPLE)]
    which = gr.Radio(sides, value=ALL, label=page.t("web.play.which"), visible=False, elem_id="play-which")
    strength = gr.Slider(
        0, 100, 100, step=5, label=page.t("web.play.strength"), info=page.t("web.play.strength_info"), visible=False,
        elem_id="play-strength",
    )  # fmt: skip
    page.parts["play_strength"] = strength
    with gr.Column(visible=False, elem_id="play-asking") as asking:
        with gr.Row(equal_height=True):
            with gr.Column(scale=5):
                earlier = conversing.box(page)
                boxes = [_box(page, number) for number in range(most_boxes())]
            send = gr.Button(page.t("web.play.send"), variant="primary", elem_id="play-send", scale=1, min_width=110)
        answers = island("answers", elem_id="play-answers")
    more = {face.key: found for face in faces if (found := face.more(page, run)) is not None}
    examples = island("examples", elem_id="play-examples")
    widgets = Widgets(run, which, strength, examples, asking, boxes, earlier, answers, more)
    whole_file(page, run, which)
    page.parts["play_run"] = run
    page.parts["play_which"] = which
    _wire_choice(page, widgets)
    _wire_asking(page, widgets, send)


def _box(page: Page, number: int) -> gr.Textbox:
    return gr.Textbox(
        label=page.t("web.play.text"),
        placeholder=page.t("web.play.placeholder"),
        lines=3,
        max_lines=12,
        max_length=bounds.TEXT,
        visible=not number,
        elem_id=f"play-text-{number + 1}" if number else "play-text",
        elem_classes="play-box",
    )


def asked_roles(task: Task) -> list[str]:
    """The roles that the playground asks for, a box each."""
    return [role.key for role in task.asked if role.required] or [task.bare_role]


def most_boxes() -> int:
    """As many as the task with the most roles needs."""
    return max(len(asked_roles(task)) for task in tasks if faces.get(task.result).asks)


def _wire_choice(page: Page, widgets: Widgets) -> None:
    @page.told
    def choose(run: str | None) -> list[Any]:
        """Show the widgets of the run's result kind and held-out rows to try."""
        if not run:
            hidden = [part for more in widgets.more.values() for part in (gr.Column(visible=False), *_blank(more))]
            boxes = [gr.skip()] * len(widgets.boxes)
            off = gr.Slider(visible=False)
            gone = gr.Textbox(visible=False)
            return [gr.Column(visible=False), gr.Radio(visible=False), off, [], None, *boxes, gone, *hidden]
        task, folder = tasks.get(page.desk.get(run).task), page.desk.folder(run)
        face = faces.get(task.result)
        both = gr.Radio(visible=task.kind.simple and has_model(folder) and bool(load_all(folder)))
        strength = gr.Slider(value=100, visible=can_be_turned_down(folder))
        asking = [gr.Column(visible=face.asks), both, strength]
        earlier = gr.Textbox(value="", visible=conversing.context_of(page, run) > 0)
        shown = [*asking, held_out(page, run), None, *_boxes(page, widgets, task), earlier]
        for key, more in widgets.more.items():
            shown.append(gr.Column(visible=key == task.result))
            shown += face.filled(page, folder) if key == task.result else _blank(more)
        return shown

    filled = [part for more in widgets.more.values() for part in (more.column, *more.filled)]
    asked = [widgets.asking, widgets.which, widgets.strength]
    shown = [*asked, widgets.examples, widgets.answers, *widgets.boxes, widgets.earlier, *filled]
    widgets.run.change(choose, widgets.run, shown, **QUIET)
    widgets.run.input(None, widgets.run, None, js="(run) => window.studio.open({ run, tab: 'playground' }, true)")


def _blank(more: More) -> list[Any]:
    return [""] * len(more.filled)


def _boxes(page: Page, widgets: Widgets, task: Task) -> list[Any]:
    """A box for every role that is asked, named after it where there are several or the answer has a name too."""
    roles = asked_roles(task)
    by_role = len(roles) > 1 or faces.get(task.result).named
    named = [page.t(f"role.{task.key}.{role}" if by_role else "web.play.text") for role in roles]
    shown = [gr.Textbox(label=label, visible=True) for label in named]
    return [*shown, *[gr.Textbox(visible=False)] * (len(widgets.boxes) - len(shown))][: len(widgets.boxes)]


def _wire_asking(page: Page, widgets: Widgets, send: gr.Button) -> None:
    count = len(widgets.boxes)

    def asked(run: str | None, which: str | None, given: Sequence[Any]) -> dict[str, Any] | None:
        further, share = _further(widgets, given[count + 1 :])
        return answered(page, run, list(given[:count]), which, further, share, given[count])

    @page.told
    def answer(run: str | None, which: str | None, *given: Any) -> dict[str, Any] | None:
        return asked(run, which, given)

    @page.told
    def turned(run: str | None, which: str | None, *given: Any) -> Any:
        """The same question once more, with the tuning turned up or down."""
        if not run or not all((text or "").strip() for text in given[:1]):
            return gr.skip()
        return asked(run, which, given)

    asking = gr.on(
        [send.click, *(box.submit for box in widgets.boxes)],
        answer,
        widgets.inputs(),
        widgets.answers,
        concurrency_id="predict",
        concurrency_limit=4,
        **HIDDEN,
    )
    # Asked again while the slider moves, also by the keyboard; only the last place counts.
    latest: dict[str, Any] = {**HIDDEN, "trigger_mode": "always_last"}
    turning = widgets.strength.input(
        turned, widgets.inputs(), widgets.answers, concurrency_id="predict", concurrency_limit=4, **latest
    )
    messages = {key: more.message for key, more in widgets.more.items() if more.message is not None}

    @page.told
    def try_example(event: gr.EventData, run: str | None, which: str | None, *given: Any) -> list[Any]:
        """A held-out row into the boxes, and answered; or into the kind's own box."""
        place = bounds.sent(event).get("row")
        row = next((row for number, row in _held_rows(page, run or "") if number == place), None)
        nothing = [gr.skip()] * (count + 2 + len(messages))
        if not run or row is None:
            return nothing
        task = tasks.get(page.desk.get(run).task)
        face = faces.get(task.result)
        example = face.example(task, row)
        if not face.asks:
            return [*nothing[: count + 2], *(example["text"] if key == face.key else gr.skip() for key in messages)]
        texts = [(row.get(role) or "")[: bounds.TEXT] for role in asked_roles(task)]
        texts = texts if len(texts) > 1 else [example["text"][: bounds.TEXT]]
        before = conversing.before(page, run, int(place or 0))
        shown = asked(run, which, [*texts, *[""] * (count - len(texts)), before, *given[count + 1 :]])
        filled = [*texts, *[gr.skip()] * (count - len(texts)), before]
        return [*filled, {**(shown or {}), "truth": example["truth"]}, *[gr.skip()] * len(messages)]

    outputs = [*widgets.boxes, widgets.earlier, widgets.answers, *messages.values()]
    trying = widgets.examples.click(try_example, widgets.inputs(), outputs, **HIDDEN)
    for done in (asking, trying, turning):
        # Also after a refusal, which hands no answer on.
        done.then(None, None, None, js="() => window.dispatchEvent(new Event('studio:answered'))")


def _further(widgets: Widgets, values: Sequence[Any]) -> tuple[dict[str, list[Any]], float]:
    """The values of each kind's own inputs, by kind; and how much of an adapter counts, the last of all values."""
    found, start = {}, 0
    for key, more in widgets.more.items():
        found[key] = list(values[start : start + len(more.inputs)])
        start += len(more.inputs)
    return found, share_of(values[start] if len(values) > start else None)


def answered(
    page: Page,
    run: str | None,
    texts: Sequence[str | None],
    which: str | None = None,
    further: Mapping[str, list[Any]] | None = None,
    strength: float = 1.0,
    lines: str | None = "",
) -> dict[str, Any] | None:
    """The tuned model's answer beside what came before it, or that of the simple model alone; `texts` fill the roles
    that are asked, `further` are the inputs of the kinds' own widgets, `strength` how much of an adapter counts,
    `lines` the earlier texts of the conversation. Raises UserError (`text_empty`, `text_long`)."""
    if not run:
        return None
    given = [bounds.bounded(text, bounds.TEXT) for text in texts]
    for values in (further or {}).values():
        for value in values:
            bounds.bounded(value if isinstance(value, str) else "", bounds.LINES)
    if not given or not given[0].strip():
        raise UserError("text_empty")
    folder, task = page.desk.folder(run), tasks.get(page.desk.get(run).task)
    roles = asked_roles(task)
    if not all(text.strip() for text in given[: len(roles)]):
        raise UserError("text_empty")
    row = dict(zip(roles, given, strict=False))
    told = {"kind": task.result, "truth": "", "text": given[0], "texts": given[: len(roles)], "row": dict(row)}
    if conversing.context_of(page, run) and (before := bounds.bounded(lines, bounds.TEXT)).strip():
        row[EARLIER] = told["earlier"] = before
    if key := simple_alone(folder, which):
        alone = page.inference.predict(folder, [row], key)
        title = page.t("web.play.simple", name=page.t(f"ladder.{key}"))
        answers = [{"key": key, "title": title, "note": "", "prediction": alone.predictions[0]}]
        return {**told, "answers": answers, "ms": alone.milliseconds}
    face, mine = faces.get(task.result), (further or {}).get(faces.get(task.result).key) or [""]
    row |= face.settings(mine)
    answers = _before(page, folder, row, face.describe(mine))
    milliseconds = None
    if has_model(folder):
        share = strength if can_be_turned_down(folder) else 1.0
        tuned = page.inference.predict(folder, [row], strength=share)
        milliseconds = tuned.milliseconds
        note = page.t("web.play.strength_note", percent=round(100 * share)) if share < 1 else ""
        first = {"key": "tuned", "title": page.t("web.play.tuned"), "note": note, "prediction": tuned.predictions[0]}
        answers.insert(0, first)
    elif answers and (alone_told := describe(page.desk, page.desk.get(run), page.language)["without_model"]):
        answers[-1]["note"] = alone_told
    return {**told, "answers": answers, "ms": milliseconds}


def share_of(percent: Any) -> float:
    """A slider's per cent as a share; what is no number is refused where it is used."""
    return float(percent) / 100 if isinstance(percent, int | float) else 1.0


def _before(page: Page, folder: Path, row: Row, descriptions: dict[str, str]) -> list[dict[str, Any]]:
    """What came before tuning: the simple model, and what the base says."""
    answers: list[dict[str, Any]] = []
    for found in page.inference.before(folder, [row], descriptions)["answers"]:
        key = found["key"]
        if has(f"web.play.{key}_note"):
            title, note = page.t(f"web.play.{key}"), page.t(f"web.play.{key}_note")
        else:
            title, note = page.t("web.play.simple", name=page.t(f"ladder.{key}")), ""
        if row.get(EARLIER):
            note = f"{note} {page.t('web.play.text_alone')}".strip()
        answers.append({"key": key, "title": title, "note": note, "prediction": found["predictions"][0]})
    # The same model untuned stands beside the tuned one, the simple model below them.
    return sorted(answers, key=lambda answer: answer["key"] != "base")


def simple_alone(run_dir: Path, which: str | None) -> str | None:
    """The simple model that shall answer alone, when a person chose so; None where it has nothing beside it."""
    return best(load_all(run_dir)) if which == SIMPLE and has_model(run_dir) else None


def _held_rows(page: Page, run: str) -> list[tuple[int, Row]]:
    """Some test rows of a run with their places: rows no model of the run trained on."""
    if not run:
        return []
    split = page.desk.folder(run) / "split.json"
    if not split.is_file():
        return []
    spec = page.desk.spec(run)
    places = json.loads(split.read_text(encoding="utf-8"))["test"][:EXAMPLES]
    try:
        return list(zip(places, read_rows(find_version(page.workspace, spec.data), spec.columns, places), strict=True))
    except UserError:
        return []


def held_out(page: Page, run: str) -> list[dict[str, Any]]:
    """The same with their truth, as buttons."""
    rows = _held_rows(page, run)
    if not rows:
        return []
    task = tasks.get(page.desk.get(run).task)
    face = faces.get(task.result)
    return [{"row": place, **face.example(task, row), "asks": face.asks} for place, row in rows]


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
