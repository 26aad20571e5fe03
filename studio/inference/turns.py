"""The one thread that computes: requests take turns, a step each, so a long file never holds up a short question.

Every request is a generator that yields the messages to send; after each message it goes to the back of the line.
All torch work happens on this thread, so models are never used by two requests at the same instant.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from studio.errors import UserError

Message = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass
class Work:
    """A request at work. `send` takes its messages from the computing thread; the last is `done` or `error`."""

    steps: Generator[Message, None, None]
    send: Callable[[Message], None]
    cancelled: threading.Event = field(default_factory=threading.Event)


class Turns:
    """Runs works round robin on one thread. Between steps `rest` is called there about every `pause` seconds."""

    def __init__(self, rest: Callable[[], object], pause: float = 1.0) -> None:
        self._line: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._rest = rest
        self._pause = pause
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, work: Work) -> None:
        """Put `work` at the end of the line."""
        self._line.put(work)

    def end(self, seconds: float) -> bool:
        """Stop after the step at hand; False when it takes longer than `seconds`."""
        self._line.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        rested = time.monotonic()
        while True:
            if time.monotonic() - rested >= self._pause:
                self._rest()
                rested = time.monotonic()
            try:
                work = self._line.get(timeout=self._pause)
            except queue.Empty:
                continue
            if work is None:
                return
            if self._step(work):
                self._line.put(work)

    def _step(self, work: Work) -> bool:
        """One step of `work`; whether it has more. Its generator is closed at the end, whatever the end is."""
        if work.cancelled.is_set():
            work.steps.close()
            work.send({"event": "error", "code": "inference_cancelled", "values": {}})
            return False
        try:
            message = next(work.steps)
        except StopIteration:
            return False
        except UserError as error:
            message = {"event": "error", "code": error.code, "values": error.values}
        except Exception as error:
            log.exception("a request failed")
            message = failure(error)
        work.send(message)
        return message["event"] not in ("done", "error")


def failure(error: Exception) -> Message:
    """The message for an unforeseen end; running out of memory is told apart, by type or by torch's words."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return {"event": "error", "code": "inference_memory_full", "values": {}}
    reason = f"{type(error).__name__}: {text}"[:300]
    return {"event": "error", "code": "inference_failed", "values": {"reason": reason}}
