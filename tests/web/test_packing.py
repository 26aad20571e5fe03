"""The lines a page hears while a model is packed for it, and the file it may fetch once."""

from __future__ import annotations

import json
import os
import signal

import pytest

from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs import example
from studio.runs.desk import Desk
from studio.web.packing import _packing, _place, routes
from studio.workspace import Workspace, new_id


@pytest.fixture
def desk(tmp_path):
    workspace = Workspace.open(tmp_path / "home")
    example.install(workspace)
    desk = Desk(workspace)
    yield desk
    desk.close()


def test_what_cannot_be_packed_is_said_in_the_pages_language_and_leaves_nothing(desk, tmp_path):
    client = InferenceClient(desk.workspace)
    try:
        folder = desk.folder(example.RUN)
        work = client.package(folder, tmp_path / "out.zip", "zh", "tuned")
        lines = [json.loads(line) for line in _packing(work, "package-1", "zh")]
    finally:
        os.kill(client.ping()["process"], signal.SIGTERM)
    assert set(lines[-1]) == {"text", "parts"}
    assert len(lines[-1]["parts"]) == 3
    assert any("一" <= letter <= "鿿" for letter in lines[-1]["text"])
    assert not (tmp_path / "out.zip").exists()


def test_a_packed_model_is_fetched_once_and_as_its_own_run_only(desk):
    from fastapi import APIRouter, FastAPI
    from fastapi.testclient import TestClient

    from studio.web import asking

    app, router = FastAPI(), APIRouter()
    routes(router, desk, InferenceClient(desk.workspace))
    app.include_router(router)
    app.add_exception_handler(UserError, asking.user_error)
    browser = TestClient(app)
    made = new_id("package")
    _place(desk, example.RUN, made).write_bytes(b"PK")
    assert browser.get("/runs/r-other/download", params={"package": made}).status_code == 404
    for bad in ("", "../x", "package-" + "0" * 12):
        assert browser.get(f"/runs/{example.RUN}/download", params={"package": bad}).status_code in (400, 404)
    reply = browser.get(f"/runs/{example.RUN}/download", params={"package": made})
    assert reply.content == b"PK"
    assert ".zip" in reply.headers["content-disposition"]
    again = browser.get(f"/runs/{example.RUN}/download", params={"package": made, "lang": "en"})
    assert "one download only" in again.json()["text"]
