"""Errors of the web process: asked for through its routes, its start and the page's own button."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from spoken import check_answer, check_spoken

from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.spec import Spec
from studio.web.context import Page
from studio.web.server import QUIET, serve
from studio.web.tabs import train
from studio.words import LANGUAGES, say
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
