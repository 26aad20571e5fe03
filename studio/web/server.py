"""The web process: our own FastAPI app behind the gate, Gradio mounted in it once a language, a supervisor beside it.

It shows what is stored and writes down what people ask for. It never imports torch, transformers, datasets or peft.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response

from studio import hardware
from studio.data import queries
from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs import example
from studio.runs.claim import claim
from studio.runs.desk import Desk
from studio.web import api, asking, login, pages, static
from studio.web.gate import Gate
from studio.web.sessions import Sessions, access_token
from studio.words import LANGUAGES
from studio.workspace import Workspace

log = logging.getLogger(__name__)
SETTLED = 60.0
"""Seconds after the start when the first page is served and the keeper has imported what it needs."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GRADIO_SHARE": "False",
}


def make_app(desk: Desk, hosts: set[str], ask_name: bool) -> Gate:
    """The whole web application of one workspace. `hosts` are the names it may be addressed by."""
    workspace = desk.workspace
    sessions = Sessions(desk.people, access_token(workspace.home))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(UserError, asking.user_error)
    app.add_exception_handler(RequestValidationError, asking.unreadable)
    app.add_exception_handler(400, asking.unreadable)
    app.add_exception_handler(Exception, asking.bug)

    @app.get("/healthz")
    def health() -> JSONResponse:
        supervisor = desk.supervisor
        well = supervisor is None or supervisor.healthy()
        return JSONResponse({"ok": well}, 200 if well else 503)

    @app.get("/")
    def root(request: Request) -> Response:
        asked = request.query_params.get("lang")
        lang = asked if asked in LANGUAGES else login.language_of(request)
        query = request.url.query
        return RedirectResponse(f"/{lang}/" + (f"?{query}" if query else ""), status_code=303)

    inference = InferenceClient(workspace, start=desk.start_inference)
    app.include_router(login.routes(sessions, ask_name))
    app.include_router(static.routes())
    app.include_router(api.routes(desk, workspace, inference))
    pages.mount(app, desk, inference)
    return Gate(app, hosts, sessions)


def known_hosts(host: str) -> set[str]:
    """Names and addresses under which a server bound to `host` is reached."""
    if host in LOOPBACK:
        return set(LOOPBACK)
    found = {*LOOPBACK, host, socket.gethostname(), socket.getfqdn()}
    for addresses in psutil.net_if_addrs().values():
        found |= {address.address.partition("%")[0] for address in addresses}
    return found


def named_hosts(names: Sequence[str]) -> set[str]:
    """The further names a person allows. Raises UserError (`host_name`) for what cannot stand in an address."""
    for name in names:
        try:
            plain = urlsplit(f"//{name}").hostname == name.lower()
        except ValueError:
            plain = False
        if not plain or "*" in name:
            raise UserError("host_name", name=name[:80])
    return {name.lower() for name in names}


def address_of(host: str, port: int) -> str:
    """The address to print for a server bound to `host`: one that a browser on this machine can open."""
    if ":" in host:
        return f"http://[{'::1' if host == '::' else host}]:{port}"
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', *LOOPBACK) else host}:{port}"


def prepare(workspace: Workspace) -> None:
    """Settings that have to stand before Gradio is imported."""
    share = os.environ.get("GRADIO_SHARE", "False")
    if share not in ("", "False", "false", "0"):
        raise UserError("share_refused", value=share[:40])
    os.environ.update(QUIET)
    uploads = workspace.temporary / "uploads"
    empty = workspace.temporary / "empty"
    for folder in (uploads, empty):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    # Gradio may serve files below the current directory, so that one holds nothing.
    os.chdir(empty)
    os.umask(0o077)


def serve(
    host: str, port: int, home: str | Path | None, announce: Callable[[str], None], names: Sequence[str] = ()
) -> None:
    """Run the studio until it is interrupted. `announce` is told the address with its access token; `names` are
    further host names under which it may be asked for, such as a proxy's.

    Raises UserError (`port_taken`, `home_unusable`, `share_refused`, `server_running`, `host_name`) before anything
    is started.
    """
    further = named_hosts(names)
    workspace = Workspace.open(home)
    prepare(workspace)
    listening = _listen(host, port)
    address = address_of(host, listening.getsockname()[1])
    with closing(listening), claim(workspace, address):
        example.install(workspace)
        queries.ask_processes()
        with closing(Desk(workspace)) as desk, ExitStack() as last:
            last.callback(queries.end_processes)
            # Behind a name of its own, others reach even a server that listens on this machine alone.
            app = make_app(desk, known_hosts(host) | further, ask_name=host not in LOOPBACK or bool(further))
            desk.supervise()
            # Begun now, so that the first plan need not wait for it.
            threading.Thread(target=_probe, args=(desk,), name="probe", daemon=True).start()
            announce(f"{address}/login?token={quote(access_token(workspace.home))}")
            uvicorn.Server(_settings(app)).run(sockets=[listening])


def _settings(app: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        server_header=False,
    )


def _probe(desk: Desk) -> None:
    """Measure the machine: the first time in any case, later only where no run would be disturbed."""
    try:
        if hardware.read(desk.workspace) is None:
            hardware.read_or_probe(desk.workspace)
            return
        time.sleep(SETTLED)
        if not any(view.active for view in desk.list()):
            hardware.probe_again(desk.workspace)
    except UserError as error:
        log.warning("%s", error)


def _listen(host: str, port: int) -> socket.socket:
    """The bound socket. Raises UserError (`port_taken`)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # Whoever opens the printed address early waits for the first answer instead of being refused.
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UserError("port_taken", host=host, port=port, reason=error.strerror or str(error)) from error
    return listening
