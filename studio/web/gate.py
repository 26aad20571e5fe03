"""The gate: one default-deny ASGI layer in front of everything, Gradio included.

It checks Host and Origin, authenticates before Gradio sees a request, limits bodies and sets security headers.
It knows nothing of runs or data; who may do what with an item is decided where the item is looked up.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from studio.web.sessions import COOKIE, Sessions

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MEGABYTE = 1024 * 1024
BODY_LIMIT = 5 * MEGABYTE
UPLOAD_LIMIT = 200 * MEGABYTE + MEGABYTE
"""A file of the largest size that the data room accepts, and its multipart wrapping."""
OPEN_PATHS = ("/login", "/healthz")

POLICY = (
    "default-src 'self' data: blob:; "
    # gr.HTML builds its templates with Function(), so eval has to be allowed; user text never reaches a template.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]

log = logging.getLogger(__name__)


class Gate:
    """Wraps `app`. `hosts` are the names under which this server may be addressed, without a port."""

    def __init__(self, app: App, hosts: set[str], sessions: Sessions) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {key.decode("latin1").lower(): value.decode("latin1") for key, value in scope["headers"]}
        send = _with_headers(send)
        if not self._addressed_to_us(headers):
            await _answer(send, 403, "This address is not one of the studio's own.")
            return
        if not _from_our_pages(scope["method"], headers):
            await _answer(send, 403, "This request came from another site.")
            return
        person = self.sessions.who(_cookie(headers))
        if person is None and scope["path"] not in OPEN_PATHS:
            await self._turn_away(scope, headers, send)
            return
        scope.setdefault("state", {})["person"] = person
        limit = UPLOAD_LIMIT if scope["path"].endswith("/gradio_api/upload") else BODY_LIMIT
        try:
            declared = int(headers.get("content-length") or 0)
        except ValueError:
            declared = limit + 1
        if declared > limit:
            await _answer(send, 413, "This request is larger than the studio accepts.")
            return
        await self.app(scope, _limited(receive, limit), send)

    def _addressed_to_us(self, headers: dict[str, str]) -> bool:
        try:
            return urlsplit("//" + headers.get("host", "")).hostname in self.hosts
        except ValueError:
            return False

    async def _turn_away(self, scope: Scope, headers: dict[str, str], send: Send) -> None:
        """Pages lead to the login, everything else gets a plain 401."""
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope.get("query_string", b"").decode("latin1")
            target = f"?then={quote(scope['path'] + ('?' + query if query else ''), safe='')}"
            location = [(b"location", ("/login" + target).encode())]
            await send({"type": "http.response.start", "status": 303, "headers": location})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _answer(send, 401, "Please open the studio with the address it printed at its start.")


def _from_our_pages(method: str, headers: dict[str, str]) -> bool:
    """Whether a request may have come from our own pages: a foreign Origin is refused for every method, and a
    write without Origin only passes when the browser does not say that another site sent it."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        except ValueError:
            return False
    if method in ("GET", "HEAD"):
        return True
    return headers.get("sec-fetch-site") in (None, "same-origin", "none")


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except Exception:  # http.cookies raises several kinds for malformed headers; none of them is a login
        return ""
    return found.value if found else ""


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what really arrives: a chunked body has no length header."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            log.warning("a request body passed %d bytes and was cut off", limit)
            return {"type": "http.disconnect"}
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            # Gradio echoes any Origin with credentials; nothing here is meant for other sites.
            own = {key for key, _ in HEADERS}
            kept = [
                (key, value)
                for key, value in message.get("headers", [])
                if not key.lower().startswith(b"access-control-") and key.lower() not in own
            ]
            message["headers"] = kept + HEADERS
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
