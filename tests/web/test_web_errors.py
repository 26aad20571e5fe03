"""Errors of the web process: asked for through its routes, its start and the page's own button."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from spoken import check_answer, check_spoken

from studio import hardware
from studio.data.importing import import_file
from studio.errors import UserError
from studio.events import Eval
from studio.hardware import Hardware
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.runs.journal import Journal
from studio.spec import Spec
from studio.web.context import Page
from studio.web.server import QUIET, serve
from studio.web.tabs import playground, train
from studio.web.tabs.answering import answered
from studio.web.tabs.bounds import bounded
from studio.words import LANGUAGES, say, say_parts
from studio.workspace import Workspace


def test_a_run_that_has_not_ended_has_no_report(site, analyst):
    desk = site[0]
    run = desk.submit(Spec("d-1", {"text": "t"}, "classification", "starter:minilm", "full", name="Fresh sample"))
    for path in ("report", "rows?truth=a&answer=b"):
        for language in LANGUAGES:
            reply = analyst.get(f"/api/runs/{run}/{path}{'&' if '?' in path else '?'}lang={language}")
            assert reply.status_code == 400
            check_answer(reply.json(), "no_report", language, name="Fresh sample")


@pytest.mark.parametrize("change", ["fly higher", "x" * 100])
def test_running_again_with_an_unknown_change_is_refused(site, analyst, change):
    run = site[0].submit(Spec("d-1", {"text": "t"}, "classification", "starter:minilm", "full"))
    reply = analyst.post(f"/api/runs/{run}/again?lang=zh", json={"change": change})
    known = ["lower_rate", "raise_rate", "more_epochs", "fewer_epochs", "class_weights"]
    check_answer(reply.json(), "change_unknown", "zh", change=change[:40], known=known)


def test_a_package_that_was_fetched_already_is_gone(site, analyst):
    run = site[0].submit(Spec("d-1", {"text": "t"}, "classification", "starter:minilm", "full", name="Fresh sample"))
    for language in LANGUAGES:
        reply = analyst.get(f"/api/runs/{run}/download?package=package-1&lang={language}")
        assert reply.status_code == 400
        check_answer(reply.json(), "package_gone", language, name="Fresh sample")


def test_a_run_on_data_with_one_label_cannot_start(site, analyst, tmp_path):
    desk = site[0]
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    known = {**record.to_json(), "fingerprint": hardware.fingerprint()}
    (desk.workspace.home / "hardware.json").write_text(json.dumps(known))
    file = tmp_path / "one.csv"
    file.write_text("text,label\n" + "".join(f"a message about thing {number},complaint\n" for number in range(60)))
    version = import_file(desk.workspace, "local", file, file.name).version
    run = desk.submit(Spec(version, {"text": "text", "label": "label"}, "classification", "", "baseline"))
    reply = analyst.post(f"/api/runs/{run}/again?lang=zh", json={})
    told = say("problem.labels_one", "zh", label="complaint", count=60)
    assert reply.json()["text"].startswith(say_parts("error.cannot_start", "zh", reasons=told)[0][:-1])


def two_labels(desk: Desk, tmp_path: Path) -> str:
    """A run of the simple models that can be run again."""
    file = tmp_path / "two.csv"
    file.write_text("text,label\n" + "".join(f"a message about thing {number},{number % 2}\n" for number in range(60)))
    version = import_file(desk.workspace, "local", file, file.name).version
    return desk.submit(Spec(version, {"text": "text", "label": "label"}, "classification", "", "baseline"))


def test_a_press_that_is_sent_twice_makes_one_run(site, analyst, tmp_path):
    run = two_labels(site[0], tmp_path)
    sent = {"nonce": "1-2-3", "change": ""}
    made = [analyst.post(f"/api/runs/{run}/again", json=sent).json()["run"] for _ in range(2)]
    assert made[0] == made[1] != run
    other = analyst.post(f"/api/runs/{run}/again", json={**sent, "nonce": "4-5-6"}).json()["run"]
    assert other not in made


def test_curves_are_drawn_by_their_tasks_metric_also_before_the_end(site, analyst, tmp_path):
    desk = site[0]
    runs = {"classification": two_labels(desk, tmp_path), "chat": ""}
    runs["chat"] = desk.submit(Spec("d-1", {"messages": "m"}, "chat", "starter:smollm2", "lora"))
    for run in runs.values():
        journal = Journal(desk.folder(run), 1)
        journal.emit(Eval(1, 2.5, {"macro_f1": 0.25, "perplexity": 12.0}))
        journal.close()
    curves = analyst.get("/api/overlay", params={"runs": ",".join(runs.values())}).json()["curves"]
    assert [(curve["metric"], curve["eval_score"]) for curve in curves] == [("macro_f1", [0.25]), ("loss", [2.5])]


def test_the_header_asks_for_no_run_and_a_list_for_nothing_a_run(site, analyst, monkeypatch):
    desk = site[0]
    for _ in range(3):
        desk.submit(Spec("d-1", {"text": "t"}, "classification", "starter:minilm", "full"))
    asked = []
    monkeypatch.setattr(desk.store, "list_runs", lambda *_: asked.append("list") or [])
    assert analyst.get("/api/state").json()["queue"]
    assert asked == []
    monkeypatch.undo()
    monkeypatch.setattr(desk.store, "run", lambda run: asked.append(run))
    assert len(analyst.get("/api/runs").json()["runs"]) >= 3
    assert asked == []


def test_a_runs_settings_are_told_once_in_words(site, analyst, tmp_path):
    desk = site[0]
    options = {"training": {"epochs": 2.0, "keep_best": True, "schedule": "cosine"}, "task": {"class_weights": False}}
    columns = {"text": "words", "label": "team"}
    spec = Spec("d-1", columns, "classification", "starter:minilm", "full", preset="balanced", options=options)
    run = desk.submit(spec, data_name="letters.csv")
    first = analyst.get(f"/api/runs/{run}/live").json()
    told = {name: value for part in first["settings"] for name, value in part["rows"]}
    assert told["Data"] == "letters.csv"
    assert {"words", "team", "minilm", "yes", "no", "2"} <= set(told.values())
    assert "15 % to validate" in told["Split"]
    assert told[say("option.training.schedule")] == "cosine"
    assert told[say("web.train.preset")] == say("web.train.preset_balanced")
    assert "settings" not in analyst.get(f"/api/runs/{run}/live", params={"cursor": first["cursor"]}).json()
    chinese = analyst.get(f"/api/runs/{run}/live?lang=zh").json()["settings"]
    assert chinese[0]["title"] == say("web.settings.about", "zh")


def test_a_fault_of_a_route_is_told_without_its_innards(site, analyst, monkeypatch):
    def broken(self):
        raise KeyError("secret")

    monkeypatch.setattr(Desk, "list", broken)
    # The client of the tests would raise what a server only logs.
    analyst._transport.raise_server_exceptions = False
    reply = analyst.get("/api/runs?lang=zh")
    assert reply.status_code == 500
    check_answer(reply.json(), "bug", "zh")
    assert "secret" not in reply.text


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_not_answered(workspace, text):
    desk = Desk(workspace)
    page = Page(desk, InferenceClient(workspace), "en")
    with pytest.raises(UserError) as caught:
        answered(page, "r-1", [text])
    check_spoken(caught.value, "text_empty")
    with gr.Blocks() as blocks:
        playground.build(page)
    talk = next(wired.fn for wired in blocks.fns.values() if wired.name == "talk")
    with pytest.raises(gr.Error) as asked:
        next(talk("r-1", text, [], [], ""))
    assert asked.value.message == say("error.text_empty", "en")
    desk.close()


@pytest.mark.parametrize("which", ["text", "described", "rules", "message", "system", "talk"])
def test_texts_without_end_are_refused_by_the_handlers_themselves(workspace, which):
    """The widgets have limits too, but handlers can be called without them."""
    desk = Desk(workspace)
    page = Page(desk, InferenceClient(workspace), "zh")
    with gr.Blocks() as blocks:
        playground.build(page)
    handlers = {wired.name: wired.fn for wired in blocks.fns.values()}
    most = {"text": 20_000, "message": 20_000, "described": 8000, "system": 8000, "rules": 40_000, "talk": 400_000}[
        which
    ]
    long = "x" * (most + 1)
    said = [{"role": "user", "content": long}]
    boxes = playground.most_boxes()
    calls = {
        # Where the answer would stand.
        "text": lambda: list(handlers["answer"]("r-1", "all", long, *[""] * (boxes - 1), ""))[-1]["error"],
        "described": lambda: list(handlers["answer"]("r-1", "all", *["text"] * boxes, "", long))[-1]["error"],
        "rules": lambda: handlers["keep_rules"]("r-1", long),
        "message": lambda: next(handlers["talk"]("r-1", long, [], [], "", 8, 0.0, 1.0)),
        "system": lambda: next(handlers["talk"]("r-1", "text", [], [], long, 8, 0.0, 1.0)),
        "talk": lambda: next(handlers["talk"]("r-1", "text", said, [], "", 8, 0.0, 1.0)),
    }
    told = say("error.text_long", "zh", count=most + 1, most=most)
    if which in ("text", "described"):
        assert " ".join(calls[which]()) == told
    else:
        with pytest.raises(gr.Error) as caught:
            calls[which]()
        assert caught.value.message == told
    with pytest.raises(UserError) as plain:
        bounded(long, most)
    check_spoken(plain.value, "text_long", count=most + 1, most=most)
    desk.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_start_button_asks_for_data_and_for_a_login(workspace, language):
    desk = Desk(workspace)
    page = Page(desk, InferenceClient(workspace), language)
    with gr.Blocks() as blocks:
        train.build(page)
    start = next(wired for wired in blocks.fns.values() if wired.name == "start")
    empty = ["nonce", *(None for _ in start.inputs[1:])]
    with pytest.raises(gr.Error) as caught:
        start.fn(gr.Request(username="local"), *empty)
    assert caught.value.message == say("error.no_data_chosen", language)
    with pytest.raises(gr.Error) as caught:
        start.fn(gr.Request(), *empty)
    assert caught.value.message == say("error.not_logged_in", language)
    assert desk.list() == []
    desk.close()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What the start of a server changes in its process is undone."""
    monkeypatch.chdir(Path.cwd())
    for name in (*QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, "False"))
    mask = os.umask(0o077)
    yield monkeypatch
    os.umask(mask)


def silent(address: str) -> None:
    """Nobody waits for the address."""


def test_a_port_that_somebody_listens_on_is_named(home, starting):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError) as caught:
            serve("127.0.0.1", port, home, silent)
    check_spoken(caught.value, "port_taken", host="127.0.0.1", port=port, reason=re.compile("(?i)in use"))


def test_an_address_that_is_not_this_machines_is_named(home, starting):
    with pytest.raises(UserError) as caught:
        serve("192.0.2.1", 7860, home, silent)
    check_spoken(caught.value, "port_taken", host="192.0.2.1", port=7860, reason=re.compile("(?i)assign"))


@pytest.mark.parametrize("value", ["True", "1"])
def test_a_public_tunnel_is_refused(home, starting, value):
    starting.setenv("GRADIO_SHARE", value)
    with pytest.raises(UserError) as caught:
        serve("127.0.0.1", 0, home, silent)
    check_spoken(caught.value, "share_refused", value=value)
    assert not (Workspace.open(home).temporary / "uploads").exists()
