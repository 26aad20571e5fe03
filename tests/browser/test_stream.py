"""The stream of answers in a real Chromium, against a server that ends it at the worst moment."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

SCRIPT = Path(__file__).parents[2] / "assets" / "web" / "stream.js"
# What Gradio's page does: it joins an event, opens a stream where none is open, and ends it where it is told to.
CLIENT = """
() => {
  const heard = [], status = { open: false };
  const open = async () => {
    status.open = true;
    const control = new AbortController();
    const reply = await fetch("/gradio_api/queue/data?session_hash=s", { signal: control.signal });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        for (const part of value.split("\\n\\n").filter(Boolean)) {
          const message = JSON.parse(part.slice(5));
          if (message.msg === "close_stream") { status.open = false; control.abort(); }
          else heard.push(message.event_id);
        }
      }
    } catch (error) { if (error.name !== "AbortError") heard.push(String(error)); }
  };
  window.act = async (name) => {
    const reply = await (await fetch(`/gradio_api/queue/join?name=${name}`, { method: "POST" })).json();
    if (reply.event_id && !status.open) open();
  };
  window.heard = heard;
  window.stream = status;
}
"""


class Scripted(BaseHTTPRequestHandler):
    """Says that "a" is answered and decides to end the stream; "b" is joined before the page hears of the end, so only
    a second stream answers it."""

    protocol_version = "HTTP/1.0"

    def log_message(self, *about: object) -> None:
        pass

    def do_GET(self) -> None:
        self._begin("text/event-stream" if "queue/data" in self.path else "text/html")
        if "queue/data" not in self.path:
            self.wfile.write(b"<title>stream</title>")
            return
        self.server.streams += 1
        if self.server.streams == 1:
            self._say("process_completed", "a")
            assert self.server.joined_late.wait(10)
            time.sleep(0.2)  # the page has the answer to its joining before it has the end of the stream
            self._say("close_stream")
            return
        for event in sorted(self.server.joined - {"a"}):
            self._say("process_completed", event)
        self._say("close_stream")

    def do_POST(self) -> None:
        name = self.path.rpartition("=")[2]
        if name != "refused":
            self.server.joined.add(name)
        if name == "b":
            self.server.joined_late.set()
        self._begin("application/json")
        self.wfile.write(json.dumps({"detail": "full"} if name == "refused" else {"event_id": name}).encode())

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _say(self, what: str, event: str | None = None) -> None:
        self.wfile.write(f"data: {json.dumps({'msg': what, 'event_id': event})}\n\n".encode())
        self.wfile.flush()


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    made.streams, made.joined = 0, set()
    made.joined_late = threading.Event()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def opened(browser: Browser, server: ThreadingHTTPServer) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
    page.evaluate(SCRIPT.read_text("utf-8"))
    page.evaluate(CLIENT)
    return page


def test_an_action_sent_while_the_stream_ends_is_answered(browser: Browser, server: ThreadingHTTPServer):
    page = opened(browser, server)
    page.evaluate("act('a').then(() => act('b'))")
    page.wait_for_function("heard.length === 2", timeout=10_000)
    assert page.evaluate("heard") == ["a", "b"]
    assert server.streams == 2
    page.context.close()


def test_a_stream_with_nothing_unanswered_ends_and_a_later_action_opens_another(browser: Browser, server):
    server.joined_late.set()  # the first stream ends by itself
    page = opened(browser, server)
    page.evaluate("act('refused').then(() => act('a'))")
    page.wait_for_function("heard.length === 1", timeout=10_000)
    page.wait_for_function("!stream.open", timeout=10_000)
    page.evaluate("act('c')")
    page.wait_for_function("heard.length === 2", timeout=10_000)
    assert page.evaluate("heard") == ["a", "c"]
    assert server.streams == 2
    page.context.close()
