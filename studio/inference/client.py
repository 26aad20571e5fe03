"""Asks the inference process, starting it when it is not there. Imports no torch: the web and the command line use it.

Every request is a connection of its own; giving up a generator (closing it) closes the connection, which cancels the
request within a step.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any

from studio import child
from studio.errors import UserError
from studio.inference import protocol
from studio.inference.settings import ChatSettings
from studio.workspace import Workspace

START_SECONDS = 180.0
"""A machine that trains starts processes slowly, and who waits is told so."""
SILENCE_SECONDS = 90.0
"""The process shows a sign of life every few seconds; after this long without one it is given up."""
TRIES = 4
STAGES = {"starting": "starting", "accepted": "answering", "loading": "loading", "progress": "answering"}
"""What is waited for after an event: the process itself, a model on its way into memory, or the answer."""
Stages = Generator[str, None, Any]
"""What is being waited for, whenever that changes (a value of `STAGES`); returns the answer."""
Message = dict[str, Any]
Talk = Sequence[Mapping[str, str]]
Rows = Sequence["str | Mapping[str, str | None]"]


@dataclass(frozen=True)
class Answers:
    """Predictions in the order of the rows, and the milliseconds one of them took."""

    predictions: list[dict[str, Any]]
    milliseconds: float


@dataclass(frozen=True)
class Bit:
    """A piece of a chat answer. `side` is "tuned" or "base", or "" with the `stage` that is waited for.

    The last bit of a side has a `reason` (end, length, time), `tokens` and `seconds`.
    """

    side: str = ""
    text: str = ""
    reason: str = ""
    tokens: int = 0
    seconds: float = 0.0
    stage: str = ""


@dataclass(frozen=True)
class FileProgress:
    """`done` of `total` rows are answered; `columns` (role -> column of what was asked) and `truths` (role -> column of
    what was answered) come with the last, when the file is whole."""

    done: int
    total: int
    finished: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    truths: dict[str, str] = field(default_factory=dict)


class InferenceClient:
    """Methods raise UserError: `inference_start`, `inference_died`, `inference_silent`, `inference_busy`,
    `model_gone`, `base_gone`, `inference_memory` and what the request itself can go wrong with."""

    def __init__(self, workspace: Workspace, start: Callable[[], None] | None = None) -> None:
        self._workspace = workspace
        self._start = start or (lambda: start_process(workspace))
        self._path = protocol.socket_path(workspace)

    def predict(self, run_dir: Path, rows: Rows, which: str = "tuned", strength: float = 1.0) -> Answers:
        """Answers of the tuned model, or of a simple one (`which`: majority, rules, tfidf). `strength` is how much of
        an adapter counts, 0 to 1. Raises UserError (`strength_none`, `strength_bounds`) besides."""
        found: Answers = whole(self.predicting(run_dir, rows, which, strength))
        return found

    def predicting(self, run_dir: Path, rows: Rows, which: str = "tuned", strength: float = 1.0) -> Stages:
        """The same for whoever wants to show what is waited for."""
        request = {"op": "predict", "run": str(run_dir), "rows": list(rows), "which": which, "strength": strength}
        value = yield from self._stages(request)
        return Answers(**value)

    def before(self, run_dir: Path, rows: Rows, descriptions: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What there was before tuning, see `before.answer`. `descriptions` say more about labels than their names."""
        value: dict[str, Any] = whole(self.looking_back(run_dir, rows, descriptions))
        return value

    def looking_back(self, run_dir: Path, rows: Rows, descriptions: Mapping[str, str] | None = None) -> Stages:
        """The same for whoever wants to show what is waited for."""
        request = {"op": "before", "run": str(run_dir), "rows": list(rows), "descriptions": dict(descriptions or {})}
        return self._stages(request)

    def chat(
        self,
        run_dir: Path,
        messages: Talk | Mapping[str, Talk],
        settings: ChatSettings | None = None,
        sides: Sequence[str] = ("tuned",),
        strength: float = 1.0,
    ) -> Generator[Bit, None, None]:
        """The answer, streamed; with sides ("tuned", "base") both at once, a token of each in turn. `strength` is how
        much of an adapter counts for the side "tuned", 0 to 1.

        `messages` is one conversation, or one for each side where they already differ.
        """
        request = {
            "op": "chat",
            "run": str(run_dir),
            "messages": messages,
            "settings": asdict(settings or ChatSettings()),
            "sides": list(sides),
            "strength": strength,
        }
        with contextlib.closing(self._ask(request)) as answer:
            for message in answer:
                if message["event"] in STAGES:
                    yield Bit(stage=STAGES[message["event"]])
                elif message["event"] in ("piece", "end"):
                    yield Bit(**{name: value for name, value in message.items() if name != "event"})

    def predict_file(
        self,
        run_dir: Path,
        data: Path,
        out: Path,
        which: str = "tuned",
        columns: Mapping[str, str] | None = None,
    ) -> Generator[FileProgress, None, None]:
        """Answers every row of a Parquet file of text cells into `out` (.csv or .jsonl), which appears at the end.

        `columns` maps roles to the file's columns where they are called other than in training.
        """
        request = {
            "op": "predict_file",
            "run": str(run_dir),
            "data": str(data.resolve()),
            "out": str(out.resolve()),
            "which": which,
            "columns": dict(columns or {}),
        }
        with contextlib.closing(self._ask(request)) as answer:
            for message in answer:
                if message["event"] == "progress":
                    yield FileProgress(message["done"], message["total"])
                elif message["event"] == "done":
                    value = message["value"]
                    told = {"columns": value["columns"], "truths": value.get("truths", {})}
                    yield FileProgress(value["rows"], value["rows"], finished=True, **told)

    def strengths(self, run_dir: Path, data: Path) -> Generator[FileProgress, None, None]:
        """Measures the test metric by how much of the tuning counts and writes it into the run's report; `data` is the
        data version's folder. Raises UserError (`strength_none`)."""
        request = {"op": "strength", "run": str(run_dir), "data": str(data.resolve())}
        with contextlib.closing(self._ask(request)) as answer:
            for message in answer:
                if message["event"] == "progress":
                    yield FileProgress(message["done"], message["total"])

    def search(self, run_dir: Path, data: Path, text: str, count: int = 10) -> dict[str, Any]:
        """The texts in a Parquet file of text cells that the run's tuned model finds nearest: {"hits": [{"text", "row"
        (from 1), "role", "score", "cosine", ...}], "texts": how many were searched, "total": how many there are}.

        The first search of some data reads all of it. Raises UserError (`search_none`).
        """
        value: dict[str, Any] = whole(self.searching(run_dir, data, text, count))
        return value

    def searching(self, run_dir: Path, data: Path, text: str, count: int = 10) -> Stages:
        """The same for whoever wants to show what is waited for."""
        request = {"op": "search", "run": str(run_dir), "data": str(data.resolve()), "text": text, "count": count}
        return self._stages(request)

    def predict_version(
        self, run_dir: Path, owner: str, version: str, out: Path, which: str = "tuned"
    ) -> Generator[FileProgress, None, None]:
        """The same for an imported data version of the workspace."""
        return self.predict_file(run_dir, self._workspace.data(owner, version) / "rows.parquet", out, which)

    def package(self, run_dir: Path, out: Path, language: str = "en", which: str = "") -> Generator[str, None, None]:
        """Writes a model of the run as a zip that stands alone to `out`, its README in `language`; yields its phases.

        `which` is "tuned", "simple", or "" for the tuned model where there is one.
        """
        request = {"op": "package", "run": str(run_dir), "out": str(out.resolve()), "language": language}
        request["which"] = which
        with contextlib.closing(self._ask(request)) as answer:
            for message in answer:
                if message["event"] == "phase":
                    yield str(message["name"])

    def warm(self, run_dir: Path, which: str = "tuned") -> None:
        """Load the model now, so that the first answer comes at once."""
        self._value({"op": "warm", "run": str(run_dir), "which": which})

    def ping(self) -> dict[str, Any]:
        """The process's pid, loaded models and their bytes; starts the process when there is none."""
        value: dict[str, Any] = self._value({"op": "ping"})
        return value

    def unload(self, run_dir: Path | None = None) -> int:
        """Make room: give up models nobody uses at this moment (of one run only); how many. Starts nothing."""
        try:
            connection = self._connect()
        except OSError:
            return 0
        connection.close()
        return int(self._value({"op": "unload", "run": str(run_dir) if run_dir else ""})["unloaded"])

    def _value(self, request: Message) -> Any:
        """The value of the last message."""
        return whole(self._stages(request))

    def _stages(self, request: Message) -> Stages:
        """What is waited for whenever that changes, then the value of the last message."""
        seen = ""
        with contextlib.closing(self._ask(request)) as answer:
            for message in answer:
                if message["event"] == "done":
                    return message["value"]
                stage = STAGES.get(message["event"], seen)
                if stage != seen:
                    yield stage
                seen = stage

    def _ask(self, request: Message) -> Generator[Message, None, None]:
        """Messages up to the last. A process that ends before it took the request is started again."""
        line = protocol.encode(request)
        for attempt in range(TRIES):
            time.sleep(0.1 * attempt)
            try:
                reached = self._connect()
            except OSError:
                yield {"event": "starting"}
                reached = self._connected()
            with contextlib.closing(reached) as connection:
                accepted = False
                for message in self._messages(connection, line):
                    # A process that still starts shows that it lives before it has taken anything.
                    accepted = accepted or message["event"] != "alive"
                    if message["event"] == "error":
                        raise UserError(message["code"], **message["values"])
                    yield message
                    if message["event"] == "done":
                        return
            if accepted:
                break
        raise UserError("inference_died", log=str(self._workspace.home / "inference.log"))

    def _messages(self, connection: socket, line: bytes) -> Iterator[Message]:
        """What the process sends, until it closes. Raises UserError (`inference_silent`)."""
        connection.settimeout(SILENCE_SECONDS)
        try:
            connection.sendall(line)
            with connection.makefile("rb") as answer:
                for text in answer:
                    if text.endswith(b"\n"):
                        yield protocol.decode(text)
        except TimeoutError as error:
            raise UserError("inference_silent", seconds=round(SILENCE_SECONDS)) from error
        except OSError:
            return

    def _connect(self) -> socket:
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.settimeout(START_SECONDS)
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        return connection

    def _connected(self) -> socket:
        """A connection, after starting the process where needed. Raises UserError (`inference_start`)."""
        until = time.monotonic() + START_SECONDS
        again = 0.0
        while True:
            try:
                return self._connect()
            except OSError as error:
                if time.monotonic() > until:
                    log = str(self._workspace.home / "inference.log")
                    raise UserError("inference_start", seconds=round(START_SECONDS), log=log) from error
            # Starting twice is harmless: the second process sees the first and ends.
            if time.monotonic() >= again:
                self._start()
                again = time.monotonic() + START_SECONDS / 4
            time.sleep(0.02)


def whole(stages: Stages) -> Any:
    """The answer alone."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return end.value


def start_process(workspace: Workspace) -> None:
    """Start the inference process in a session of its own: Ctrl-C in our terminal or our end does not touch it."""
    command = child.command("studio.inference.server", "--home", str(workspace.home), "--detach")
    # Who waits for the process tells when it has waited long enough.
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=child.environment(), stdin=subprocess.DEVNULL, check=False, timeout=START_SECONDS)
