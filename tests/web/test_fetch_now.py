"""Fetch now: a model arrives before any run, its token is used once and is found nowhere, every refusal is told."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from safetensors.numpy import load_file, save_file
from spoken import check_answer, check_spoken

from studio.errors import UserError
from studio.models.card import read_card
from studio.models.catalogue import place, resolve
from studio.web import asking, fetching

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny_models
from web_stand_in import offer, serving

TOKEN = "hf_CANARYcanaryONCEonceCANARYcanary"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny_models.encoder_folder(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture
def web(monkeypatch):
    with serving() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield stand_in


@pytest.fixture
def asked(workspace):
    """The routes of a server of this workspace."""
    app, router = FastAPI(), APIRouter(prefix="/api")
    app.add_exception_handler(UserError, asking.user_error)
    fetching.routes(router, workspace)
    app.include_router(router)
    return TestClient(app)


def ended(asked: TestClient, model: str, language: str = "en") -> dict[str, object]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = asked.get("/api/models/fetch", params={"model": model, "lang": language}).json()
        if told["state"] != "running":
            return dict(told)
        time.sleep(0.1)
    raise AssertionError("still running")


def begin(asked: TestClient, model: str, token: str = "") -> dict[str, object]:
    return dict(asked.post("/api/models/fetch", json={"model": model, "token": token}).json())


class Watch(threading.Thread):
    """Whether any process's arguments or environment ever hold the token."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: set[str] = set()
        self.looked = 0

    def run(self) -> None:
        while not self.over.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                for kind in (file, file.with_name("environ")):
                    try:
                        content = kind.read_bytes()
                    except OSError:
                        continue
                    self.looked += b"studio.models.hub" in content
                    if TOKEN.encode() in content:
                        self.seen.add(str(kind))


def test_a_gated_model_arrives_and_its_token_is_found_nowhere(web, model, tmp_path, workspace, asked, caplog):
    offer(web, model, tmp_path, "org/closed")
    web.gated.add("org/closed")
    web.tokens.add(TOKEN)
    watch = Watch()
    watch.start()
    assert begin(asked, "hub:org/closed", f"  {TOKEN}\n")["state"] == "running"
    told = ended(asked, "hub:org/closed")
    watch.over.set()
    watch.join()
    assert told["state"] == "done", told
    folder = resolve(workspace, "hub:org/closed")
    assert folder is not None
    assert read_card(folder, "hub:org/closed").on_disk
    assert any(headers.get("authorization") == f"Bearer {TOKEN}" for _, headers in web.asked)
    held = [path for path in workspace.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert held == []
    assert watch.looked, "the child was never looked at"
    assert watch.seen == set()
    assert TOKEN not in caplog.text + str(told)


@pytest.mark.parametrize("case", ["wrong token", "no access", "no token", "not found", "no network"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_stands_in_the_way_is_told(web, model, tmp_path, asked, monkeypatch, case, language):
    offer(web, model, tmp_path, "org/closed")
    web.gated.add("org/closed")
    name, host = "org/closed", web.address.removeprefix("http://")
    if case == "no access":
        web.tokens.add(TOKEN)
        web.failing["/resolve/"] = 403
    elif case == "not found":
        name = "org/absent"
    elif case == "no network":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begin(asked, f"hub:{name}", TOKEN if case in ("wrong token", "no access") else "")
    told = ended(asked, f"hub:{name}", language)
    assert told["state"] == "failed"
    expected = {
        "wrong token": ("hub_token_refused", {"host": host}),
        "no access": ("hub_no_access", {"host": host, "model": name}),
        "no token": ("hub_gated", {"model": name}),
        "not found": ("hub_not_found", {"host": host, "model": name}),
        "no network": ("hub_unreachable", {"host": "127.0.0.1:9", "model": name}),
    }[case]
    assert told["parts"] == UserError(expected[0], **expected[1]).parts(language)
    assert TOKEN not in str(told)


def test_a_stopped_download_goes_on_where_it_ended(web, model, tmp_path, workspace, asked):
    folder = offer(web, model, tmp_path)
    file = folder / "model.safetensors"
    save_file({**load_file(file), "more": np.zeros(6_000_000, np.float32)}, file)
    web.cut, web.cuts = 12_000_000, 50
    part = workspace.models / ".part-hub--org--tiny" / "model.safetensors.part"
    begin(asked, "hub:org/tiny")
    until = time.monotonic() + 40
    while not (part.is_file() and part.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    assert asked.post("/api/models/fetch/stop", json={"model": "hub:org/tiny"}).json() == {"ok": True}
    told = ended(asked, "hub:org/tiny")
    assert told["state"] == "stopped"
    assert 0 < told["done"] < told["total"]
    kept = part.stat().st_size
    web.cuts = 0
    web.asked.clear()
    begin(asked, "hub:org/tiny")
    assert ended(asked, "hub:org/tiny")["state"] == "done"
    ranges = [headers.get("range") for path, headers in web.asked if path.endswith("model.safetensors")]
    assert ranges == [f"bytes={kept}-"]
    assert (place(workspace, "hub:org/tiny") / "model.safetensors").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("token", ["hf_ab cd", "秘密一二", "x" * 300, "hf_a\nb"])
def test_what_is_no_token_is_not_sent_and_not_repeated(asked, token):
    answer = asked.post("/api/models/fetch", json={"model": "hub:org/closed", "token": token}, params={"lang": "zh"})
    assert answer.status_code == 400
    check_answer(answer.json(), "token_unreadable", "zh")
    assert token not in answer.text


def test_so_many_at_once(workspace, monkeypatch):
    """Downloads that wait for their end; a fourth has to."""
    go = threading.Event()
    monkeypatch.setattr(fetching, "fetch", lambda *about: go.wait(20))
    fetches = fetching.Fetches(workspace)
    for number in range(fetching.MOST):
        fetches.start(f"hub:org/m{number}")
        fetches.start(f"hub:org/m{number}")
    with pytest.raises(UserError) as caught:
        fetches.start("hub:org/further")
    check_spoken(caught.value, "fetches_many", count=fetching.MOST)
    go.set()


def test_a_folder_is_no_download(asked):
    answer = asked.post("/api/models/fetch", json={"model": "local:/etc"})
    assert answer.status_code == 400
    assert "'local:/etc' is not a model" in answer.json()["text"]
