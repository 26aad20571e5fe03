"""The Train tab's form: what was shown is what starts, opening an address writes nothing, garbage is refused."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import pytest

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use, save_use, saved_use
from studio.errors import UserError
from studio.hardware import Hardware
from studio.inference.client import InferenceClient
from studio.methods.base import methods
from studio.runs.desk import Desk
from studio.spec import Spec, Split
from studio.tasks.base import tasks
from studio.training.options import TrainingOptions
from studio.web.context import Page
from studio.web.forms import draw
from studio.web.tabs import bringing, given, train
from studio.words import say

COLUMNS = {"text": "text", "label": "label"}
SHOWN = Use("classification", COLUMNS, Split(0.2, 0.2, 5))
ADDRESS = {"tab": "train", "data": "", "run": "", "from": "", "with": ""}


@pytest.fixture
def form(workspace, tmp_path):
    """A page with the tab built, its start, and a data set."""
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    known = {**record.to_json(), "fingerprint": hardware.fingerprint()}
    (workspace.home / "hardware.json").write_text(json.dumps(known))
    file = tmp_path / "animals.csv"
    lines = [f"message {n} of {'cats' if n % 2 else 'dogs'},{n % 2},{n % 3}" for n in range(60)]
    file.write_text("text,label,other\n" + "\n".join(lines))
    desk = Desk(workspace)
    page = Page(desk, InferenceClient(workspace), "en")
    with gr.Blocks() as blocks:
        train.build(page)
    yield page, blocks, import_file(workspace, "local", file, file.name)
    desk.close()


def press(blocks: gr.Blocks, version: str, filled: str, key: str = "press") -> str:
    """Start with the simple models and no option touched; the run's id."""
    start = next(wired for wired in blocks.fns.values() if wired.name == "start")
    values: list[Any] = [version, "baseline", "baseline", "quick", "", filled, ""]
    values += [None] * (len(start.inputs) - 1 - len(values))
    return start.fn(gr.Request(username="local"), key, *values)


def test_what_was_shown_starts_whatever_is_saved_meanwhile(form):
    page, blocks, data = form
    save_use(page.workspace, data.owner, data.version, SHOWN)
    filled = train.arrive(page, {**ADDRESS, "data": data.version})["train_given"]
    save_use(page.workspace, data.owner, data.version, Use("classification", {"text": "text", "label": "other"}))
    spec = page.desk.spec(press(blocks, data.version, filled))
    assert (spec.columns, spec.split, spec.task) == (COLUMNS, SHOWN.split, "classification")


def test_opening_an_earlier_runs_settings_writes_nothing(form):
    page, blocks, data = form
    old = Spec(data.version, COLUMNS, "classification", "", "baseline", split=SHOWN.split, seed=5)
    run = page.desk.submit(old, data_name=data.name)
    arrived = train.arrive(page, {**ADDRESS, "from": run})
    assert saved_use(page.workspace, data.owner, data.version) is None
    assert arrived["train_data"].value == data.version, "data nobody confirmed is offered with the run's settings"
    spec = page.desk.spec(press(blocks, data.version, arrived["train_given"]))
    assert (spec.columns, spec.split) == (COLUMNS, SHOWN.split)


def test_the_time_budget_is_the_tasks_own_or_that_of_the_earlier_run(form, tmp_path):
    page, blocks, data = form
    file = tmp_path / "asked.jsonl"
    row = {"question": "what was it", "answers": "the cat", "answer_start": 7}
    file.write_text("".join(json.dumps({**row, "context": f"it was the cat {n}"}) + "\n" for n in range(60)))
    asked = import_file(page.workspace, "local", file, file.name)
    questions = Use("qa", {role: role for role in (*row, "context")})
    opened = next(wired for wired in blocks.fns.values() if wired.name == "open_form")
    assert opened.fn(given.Given(data.version, SHOWN).dumps())[1] == "quick"
    assert opened.fn(given.Given(asked.version, questions).dumps())[1] == "balanced"
    old = Spec(data.version, COLUMNS, "classification", "", "baseline", preset="thorough", split=SHOWN.split)
    assert opened.fn(given.Given(data.version, SHOWN, old).dumps())[1] == "thorough"


def test_a_form_that_shows_other_data_starts_nothing(form):
    page, blocks, data = form
    other = given.Given("d-other", SHOWN).dumps()
    for filled in (other, ""):
        with pytest.raises(gr.Error) as caught:
            press(blocks, data.version, filled)
        assert caught.value.message == say("error.form_behind", "en")
    assert page.desk.list() == []


GARBAGE = [
    "{", "[]", "7", '"x"', "null", "[" * 100_000, '{"data": 1}', '{"data": "d-1", "settings": null, "use": null}',
    '{"data": "d-1", "settings": {"a": 1}, "use": {}}',
    '{"data": "d-1", "settings": null, "use": {"task": "t", "columns": [1], "split": {}}}',
    '{"data": "d-1", "settings": null, "use": {"task": "t", "columns": {}, "split": {"seed": "x"}}}',
    '{"data": "d-1", "settings": null, "use": {"task": "t", "columns": {}, "split": {"other": 1}}}',
]  # fmt: skip


@pytest.mark.parametrize("raw", GARBAGE, ids=[raw[:40] for raw in GARBAGE])
def test_what_no_page_of_ours_sends_is_refused(raw):
    with pytest.raises(UserError) as caught:
        given.read(raw)
    assert caught.value.code == "request_unreadable"


def test_a_form_is_read_as_it_was_written():
    spec = Spec("d-1", COLUMNS, "classification", "starter:minilm", "full", split=SHOWN.split)
    for settings in (None, spec):
        made = given.Given("d-1", SHOWN, settings)
        assert given.read(made.dumps()) == made
    assert given.read("") is None


def test_a_model_name_without_end_is_refused(form):
    page, _, data = form
    with pytest.raises(UserError) as caught:
        bringing.opened(page, "local:/" + "x" * 10_000)
    assert caught.value.code == "text_long"


def test_every_model_that_fits_is_compared_line_by_line(form):
    page, blocks, data = form
    compare = next(wired for wired in blocks.fns.values() if wired.name == "compare")
    lines = compare.fn(given.Given(data.version, SHOWN).dumps())
    assert {"starter:minilm", "starter:e5"} <= {line["id"] for line in lines}
    for line in lines:
        assert line["size"]
        assert line["download"]
        assert line["reads"] is None or 0 <= line["reads"] <= 1
    take = next(wired for wired in blocks.fns.values() if wired.name == "take")
    filled = given.Given(data.version, SHOWN).dumps()
    sent = [gr.EventData(None, {"model": name}) for name in ("starter:e5", "local:/etc")]
    assert take.fn(filled, sent[0]) == "starter:e5"
    assert take.fn(filled, sent[1]) != "local:/etc"


def test_turning_the_language_on_shares_the_time_and_off_gives_it_back(form, tmp_path, monkeypatch):
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parents[1] / "training"))
    from tiny_training import save_encoder

    page, blocks, data = form
    monkeypatch.setenv("STUDIO_MODEL_ROOTS", str(tmp_path))
    model = f"local:{save_encoder(tmp_path / 'reads', mask=True)}"
    filled = given.Given(data.version, SHOWN).dumps()
    press_it = next(wired for wired in blocks.fns.values() if wired.name == "press")
    plan = next(wired for wired in blocks.fns.values() if wired.name == "plan")
    shown = plan.fn(model, "full", "quick", filled)
    cards = {one["key"]: one for one in shown[1]}
    assert "40 %" in cards["language"]["cost"]
    assert not cards["language"]["on"]
    names = [widget.elem_id for widget in press_it.outputs[1:]]
    values = [None if isinstance(one, dict) else one for one in shown[len(shown) - len(names) :]]
    place = names.index("option-training-language-first")
    event = gr.EventData(None, {"key": "language"})
    turned = press_it.fn(event, filled, model, "quick", shown[2], "full", *values)
    assert turned[1 + place] is True
    now = [before if isinstance(one, dict) else one for before, one in zip(values, turned[1:], strict=True)]
    back = press_it.fn(event, filled, model, "quick", shown[2], "full", *now)
    assert back[1 + place] is False


def test_a_task_that_is_learning_the_language_shows_the_technique_grey(form):
    page, blocks, data = form
    filled = given.Given(data.version, Use("masked_lm", {"text": "text"})).dumps()
    plan = next(wired for wired in blocks.fns.values() if wired.name == "plan")
    cards = {one["key"]: one for one in plan.fn("starter:minilm", "full", "quick", filled)[1]}
    assert cards["language"]["why"] == say("technique.language_itself", "en")
    assert not cards["language"]["cost"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_choice_of_an_option_has_a_name_and_not_its_key(workspace, language):
    page = Page(Desk(workspace), InferenceClient(workspace), language)
    declared = [("training", TrainingOptions)]
    declared += [("task", task.Options) for task in tasks] + [("method", method.Options) for method in methods]
    with gr.Blocks():
        widgets = [widget for group, cls in declared for widget in draw(page, group, cls).values()]
    named = [pair for widget in widgets if isinstance(widget, gr.Dropdown) for pair in widget.choices]
    assert len(named) > 40
    assert [key for name, key in named if name == key and key not in ("off", "yes", "no", "all")] == []
