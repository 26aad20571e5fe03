"""The inference process: listens on a UNIX socket, answers one request a connection, ends after long idling.

Started as `python -m studio.inference.server --home H [--detach]`, or by calling `main` in a forked child. The
sockets live on an asyncio loop on the main thread, the models on the one thread of `turns`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.inference import protocol
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.inference.requests import Requests
    from studio.inference.turns import Message, Turns

IDLE_SECONDS = 300.0
EXIT_AFTER = 6
"""The process ends after this many times the idle time without a request."""
MOST_WAITING = 16
"""Requests at work or waiting at once; more are told to come back."""
END_SECONDS = 5.0
log = logging.getLogger(__name__)


def main(socket_path: Path | str, workspace_home: Path | str, idle_seconds: float | str = IDLE_SECONDS) -> None:
    """Serve until idle for long or told to end (SIGTERM). Returns at once when another process serves already.

    Raises UserError when the socket's folder is not ours alone.
    """
    socket_path, workspace_home = Path(socket_path), Path(workspace_home)
    # Read when the thread pools are made, so before the first import of torch: idle threads sleep, not spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.umask(0o077)
    if socket_path.parent != workspace_home:
        protocol.private_folder(socket_path.parent)
    with socket_path.with_name(f"{socket_path.name}.lock").open("w") as lock:
        if _take_place(lock, socket_path):
            asyncio.run(Server(socket_path, Workspace.open(workspace_home), float(idle_seconds)).serve())


class Server:
    """The sockets' side: connections in, messages out, cancelling, counting idle time."""

    def __init__(self, path: Path, workspace: Workspace, idle_seconds: float) -> None:
        self._path = path
        self._workspace = workspace
        self._idle = idle_seconds
        self._working = 0
        self._last = time.monotonic()
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._turns: Turns
        self._requests: Requests

    async def serve(self) -> None:
        """Listen until idle for long or SIGTERM; the socket is gone when this returns."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._over.set)
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, self._path, limit=protocol.LONGEST_LINE)
        try:
            # A client may connect while the imports still run; it is answered as soon as they are done.
            self._turns, self._requests = await asyncio.to_thread(self._prepare)
            self._turns.start()
            self._ready.set()
            watch = loop.create_task(self._watch())
            await self._over.wait()
            watch.cancel()
        finally:
            self._path.unlink(missing_ok=True)
            server.close()
        await asyncio.to_thread(self._turns.end, END_SECONDS)

    def _prepare(self) -> tuple[Turns, Requests]:
        from studio.inference.loading import make_pool
        from studio.inference.requests import Requests
        from studio.inference.turns import Turns

        pool = make_pool(self._workspace)
        return Turns(lambda: pool.give_up(self._idle)), Requests(self._workspace, pool)

    async def _watch(self) -> None:
        """End after long quiet."""
        while not self._over.is_set():
            await asyncio.sleep(min(1.0, self._idle))
            if not self._working and time.monotonic() - self._last > EXIT_AFTER * self._idle:
                self._over.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: read its one request, send messages until the last, close."""
        self._working += 1
        try:
            # A client that is turned away before "accepted" starts a new process; nothing is lost by ending.
            if self._over.is_set() or not _ours(writer.get_extra_info("socket")):
                return
            line = await reader.readline()
            if not line:
                return
            await self._prepared(writer)
            if self._over.is_set():
                return
            if self._working > MOST_WAITING:
                writer.write(protocol.encode(_error("inference_busy", waiting=self._working - 1)))
            else:
                await self._answer(line, reader, writer)
            await writer.drain()
        except ConnectionError:
            log.info("a client left")
        except ValueError as error:
            writer.write(protocol.encode(_error("inference_failed", reason=str(error)[:200])))
        finally:
            self._working -= 1
            self._last = time.monotonic()
            writer.close()

    async def _prepared(self, writer: asyncio.StreamWriter) -> None:
        """Wait until requests can be worked on, with signs of life: imports take long on a busy machine."""
        while not self._ready.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), protocol.ALIVE_SECONDS)
                return
            writer.write(protocol.encode({"event": "alive"}))
            await writer.drain()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Put the request in line and pass its messages on; end of input means that the client gave up."""
        from studio.inference.turns import Work

        loop = asyncio.get_running_loop()
        outbox: asyncio.Queue[Message | None] = asyncio.Queue()

        def send(message: Message | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(outbox.put_nowait, message)

        work = Work(self._requests.steps(protocol.decode(line)), send)

        async def listen() -> None:
            await reader.read(1)
            work.cancelled.set()
            outbox.put_nowait(None)

        writer.write(protocol.encode({"event": "accepted"}))
        self._turns.add(work)
        left = loop.create_task(listen())
        try:
            while True:
                message = await self._next(outbox)
                if message is None:
                    return
                writer.write(protocol.encode(message))
                await writer.drain()
                if message["event"] in ("done", "error"):
                    return
        finally:
            work.cancelled.set()
            left.cancel()

    @staticmethod
    async def _next(outbox: asyncio.Queue[Message | None]) -> Message | None:
        """The next message, or a sign of life when a step takes long."""
        try:
            return await asyncio.wait_for(outbox.get(), protocol.ALIVE_SECONDS)
        except TimeoutError:
            return {"event": "alive"}


def _error(code: str, **values: Any) -> Message:
    return {"event": "error", "code": code, "values": values}


def _ours(connection: Any) -> bool:
    """Whether the other end runs under our own account, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    seen = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", seen)[1]
    return user == os.getuid()


def _take_place(lock: Any, path: Path) -> bool:
    """Become the one process behind `path`; False when another one is. One that is just ending is waited for."""
    until = time.monotonic() + 2 * END_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if path.exists() or time.monotonic() > until:
                return False
            time.sleep(0.1)


def detach(log_file: Path) -> None:
    """Go on in a child with its own session, whose output goes to `log_file`; the calling process ends."""
    if os.fork():
        os._exit(0)
    os.setsid()
    quiet, out = os.open(os.devnull, os.O_RDONLY), os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, target in ((quiet, 0), (out, 1), (out, 2)):
        os.dup2(number, target)


def _from_command_line() -> None:
    words = argparse.ArgumentParser(prog="studio.inference.server")
    words.add_argument("--home", type=Path, required=True)
    words.add_argument("--idle", type=float, default=IDLE_SECONDS)
    words.add_argument("--detach", action="store_true")
    given = words.parse_args()
    workspace = Workspace.open(given.home)
    if given.detach:
        detach(workspace.home / "inference.log")
    logging.basicConfig(level=logging.WARNING)
    main(protocol.socket_path(workspace), workspace.home, given.idle)


if __name__ == "__main__":
    _from_command_line()
