"""The Gradio page of one language, built when somebody first asks for it: most servers are read in one language."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.assets import assets
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.web.starting import uncollected
from studio.words import LANGUAGES

Routes = list[Any]


def mount(app: FastAPI, desk: Desk, inference: InferenceClient) -> None:
    """One page a language, each under its code."""
    for language in LANGUAGES:
        app.mount(f"/{language}", Page(desk, inference, language))


class Page:
    """An ASGI application that is made at its first request; it lives as long as the server."""

    def __init__(self, desk: Desk, inference: InferenceClient, language: str) -> None:
        self._desk, self._inference, self._language = desk, inference, language
        self._making = threading.Lock()
        self._holder: FastAPI | None = None
        self._began: asyncio.Task[None] | None = None

    @property
    def routes(self) -> Routes:
        """Gradio's own routes, for whoever walks over all of them."""
        routes: Routes = self._inner().routes  # type: ignore[attr-defined]
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = await asyncio.to_thread(self._inner)
        if self._began is None:
            self._began = asyncio.create_task(self._begin())
        await asyncio.shield(self._began)
        await inner(scope, receive, Speaking(send, self._language) if scope["type"] == "http" else send)

    def _inner(self) -> ASGIApp:
        with self._making:
            if self._holder is None:
                with uncollected():
                    self._holder = _made(self._desk, self._inference, self._language)
            found: ASGIApp = self._holder.routes[-1].app  # type: ignore[attr-defined]
            return found

    async def _begin(self) -> None:
        """What Gradio does when the server that it is mounted in starts: among others, its queue."""
        assert self._holder is not None
        await AsyncExitStack().enter_async_context(self._holder.router.lifespan_context(self._holder))


TONGUES = {"en": "en", "zh": "zh-CN"}


class Speaking:
    """Sends a page's answer on, with what Gradio's own scripts must find; Gradio inserts `head` too late for it.

    Its widgets follow the browser's language, which need not be the page's; its stream of answers can lose one
    (`assets/web/stream.js`).
    """

    def __init__(self, send: Send, language: str) -> None:
        self._send, tongue = send, TONGUES.get(language, language)
        told = f'Object.defineProperty(navigator,"language",{{get:()=>"{tongue}"}});'
        told += f'Object.defineProperty(navigator,"languages",{{get:()=>["{tongue}"]}});'
        told += f'document.documentElement.lang="{tongue}";'
        stream = (assets() / "web" / "stream.js").read_text("utf-8")
        self._script = f"<head><script>{told}\n{stream}</script>".encode()
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kinds = [value for key, value in message["headers"] if key.lower() == b"content-type"]
            if kinds and kinds[0].startswith(b"text/html"):
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._body.replace(b"<head>", self._script, 1)
        headers = [(key, value) for key, value in self._start["headers"] if key.lower() != b"content-length"]
        await self._send({**self._start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})


def _made(desk: Desk, inference: InferenceClient, language: str) -> FastAPI:
    """A bare parent with the page mounted in it. Gradio's login, docs, monitoring, history and sharing stay off."""
    import gradio as gr

    from studio.web.app import build
    from studio.web.island import head
    from studio.web.theme import theme

    blocks = build(desk, inference, language)
    # Gradio's queue looks for work every millisecond; 20 ms cost nobody a visible wait and most of the idle CPU.
    blocks._queue.sleep_when_free = 0.02
    holder = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    gr.mount_gradio_app(
        holder,
        blocks,
        path=f"/{language}",
        footer_links=[],
        run_history=False,
        auth_dependency=_user,
        allowed_paths=[],
        show_error=False,
        max_file_size="200mb",
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=theme(),
        head=head(language),
    )
    return holder


def _user(request: Request) -> str:
    """Gradio's idea of who is asking is the gate's."""
    return str(request.scope["state"]["person"].id)
