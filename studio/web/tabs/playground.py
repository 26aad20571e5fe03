"""Playground: your words in, its answer out, beside what came before. Widgets belong to a result kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.data.store import find_version, read_rows
from studio.errors import UserError
from studio.evaluation.baseline import load_all
from studio.inference.adapters import can_be_turned_down
from studio.inference.client import Stages
from studio.tasks.base import Row, Task, tasks
from studio.web.context import Page
from studio.web.island import island, lead
from studio.web.kinds.base import More, faces
from studio.web.shown import Shown, shown
from studio.web.tabs import bounds, conversing
from studio.web.tabs.answerfile import QUIET, SIMPLE, has_model, whole_file
from studio.web.tabs.answering import answering, asked_roles
from studio.web.tabs.choose import finished_runs, pick

SLOW: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
# The answers tell themselves that they are being worked on; Gradio would dim the whole block, that sentence with it.
HIDDEN: dict[str, Any] = {**SLOW, "show_progress": "hidden"}
EXAMPLES = 8
ALL = "all"
"""Who answers: every model, side by side."""
Work = Callable[[str | None, str | None, Sequence[Any]], Stages]
"""Answers from a run, who answers, and the values of the boxes and what follows them."""


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


def most_boxes() -> int:
    """As many as the task with the most roles needs."""
    return max(len(asked_roles(task)) for task in tasks if faces.get(task.result).asks)


def _wire_choice(page: Page, widgets: Widgets) -> None:
    @page.told
    def choose(run: str | None) -> list[Any]:
        """Show the widgets of the run's result kind and held-out rows to try."""
        if not run:
            hidden = [part for more in widgets.more.values() for part in (gr.Column(visible=False), *_kept(more))]
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
            shown += face.filled(page, folder) if key == task.result else _kept(more)
        return shown

    filled = [part for more in widgets.more.values() for part in (more.column, *more.filled)]
    asked = [widgets.asking, widgets.which, widgets.strength]
    shown = [*asked, widgets.examples, widgets.answers, *widgets.boxes, widgets.earlier, *filled]
    widgets.run.change(choose, widgets.run, shown, **QUIET)
    widgets.run.input(None, widgets.run, None, js="(run) => window.studio.open({ run, tab: 'playground' }, true)")


def _kept(more: More) -> list[Any]:
    """What is hidden keeps what it holds: it is filled anew before it is shown."""
    return [gr.skip()] * len(more.filled)


def _boxes(page: Page, widgets: Widgets, task: Task) -> list[Any]:
    """A box for every role that is asked, named after it where there are several or the answer has a name too."""
    roles = asked_roles(task)
    by_role = len(roles) > 1 or faces.get(task.result).named
    named = [page.t(f"role.{task.key}.{role}" if by_role else "web.play.text") for role in roles]
    shown = [gr.Textbox(label=label, visible=True) for label in named]
    return [*shown, *[gr.Textbox(visible=False)] * (len(widgets.boxes) - len(shown))][: len(widgets.boxes)]


def _wire_asking(page: Page, widgets: Widgets, send: gr.Button) -> None:
    count = len(widgets.boxes)

    def work(run: str | None, which: str | None, given: Sequence[Any]) -> Stages:
        """`given` are the boxes, the earlier lines of a conversation, and what the kinds add."""
        further, strength = _further(widgets, given[count + 1 :])
        return answering(page, run, list(given[:count]), which, further, strength, given[count])

    @page.told
    def answer(run: str | None, which: str | None, *given: Any) -> Iterator[Any]:
        yield from shown(page, work(run, which, given))

    @page.told
    def turned(run: str | None, which: str | None, *given: Any) -> Iterator[Any]:
        """The same question once more, with the tuning turned up or down."""
        if not run or not all((text or "").strip() for text in given[:1]):
            yield gr.skip()
            return
        yield from shown(page, work(run, which, given))

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
    trying = _wire_examples(page, widgets, work)
    for done in (asking, trying, turning):
        # Also after a request that got lost, which hands nothing on.
        done.then(None, None, None, js="() => window.dispatchEvent(new Event('studio:answered'))")
    # What is still being answered is not about the run that is chosen now.
    widgets.run.change(None, None, None, cancels=[asking, trying, turning], api_visibility="private")


def _wire_examples(page: Page, widgets: Widgets, work: Work) -> Any:
    """The click on a held-out row, which `work` answers."""
    count = len(widgets.boxes)
    messages = {key: more.message for key, more in widgets.more.items() if more.message is not None}

    @page.told
    def try_example(event: gr.EventData, run: str | None, which: str | None, *given: Any) -> Iterator[list[Any]]:
        """A held-out row into the boxes, and answered; or into the kind's own box."""
        place = bounds.sent(event).get("row")
        row = next((row for number, row in _held_rows(page, run or "") if number == place), None)
        nothing = [gr.skip()] * (count + 2 + len(messages))
        if not run or row is None:
            yield nothing
            return
        task = tasks.get(page.desk.get(run).task)
        face = faces.get(task.result)
        example = face.example(task, row)
        if not face.asks:
            yield [*nothing[: count + 2], *(example["text"] if key == face.key else gr.skip() for key in messages)]
            return
        texts = [(row.get(role) or "")[: bounds.TEXT] for role in asked_roles(task)]
        texts = texts if len(texts) > 1 else [example["text"][: bounds.TEXT]]
        before = conversing.before(page, run, int(place or 0))
        filled = [*texts, *[gr.skip()] * (count - len(texts)), before]

        def onto(value: Shown | None) -> list[Any]:
            if value and "answers" in value:
                value = {**value, "truth": example["truth"]}
            return [*filled, value, *[gr.skip()] * len(messages)]

        asked = [*texts, *[""] * (count - len(texts)), before, *given[count + 1 :]]
        yield from shown(page, work(run, which, asked), onto)

    outputs = [*widgets.boxes, widgets.earlier, widgets.answers, *messages.values()]
    return widgets.examples.click(try_example, widgets.inputs(), outputs, **HIDDEN)


def _further(widgets: Widgets, values: Sequence[Any]) -> tuple[dict[str, list[Any]], float]:
    """The values of each kind's own inputs, by kind; and how much of an adapter counts, the last of all values."""
    found, start = {}, 0
    for key, more in widgets.more.items():
        found[key] = list(values[start : start + len(more.inputs)])
        start += len(more.inputs)
    return found, share_of(values[start] if len(values) > start else None)


def share_of(percent: Any) -> float:
    """A slider's per cent as a share; what is no number is refused where it is used."""
    return float(percent) / 100 if isinstance(percent, int | float) else 1.0


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
