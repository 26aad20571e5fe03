"""The keeper: one detached process per workspace that starts workers, waits for them and writes how they ended.

It has imported the heavy libraries so that a fork is ready in a moment, and does no tensor work, touches no
accelerator and has one thread. Web server and command line are only its clients; when it dies its workers go on.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import importlib
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import studio
from studio import child
from studio.files import write_whole
from studio.runs import process
from studio.runs.files import read_json
from studio.runs.forking import Child, end_group, start_child
from studio.training import ranks

RECORD = "keeper.json"
IDLE = 900.0
"""Seconds without a child and without a question after which the keeper goes."""
LONGEST_PATH = 100
"""UNIX socket paths end at about 108 bytes; longer homes get a short private folder instead."""

PRELOAD = (
    "torch",
    "torch.optim",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "studio.models.lightpeft",
    "datasets",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
)
TARGETS = {
    "train": "studio.runs.worker:main",
    "inference": "studio.inference.server:main",
    "measure": "studio.runs.speeds:main",
}
"""What a child may be asked to run."""
_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

logger = logging.getLogger("studio.keeper")


def environment() -> dict[str, str]:
    """The environment of a keeper and so of all workers: the studio importable, no tokens, no threads at import."""
    # numpy's and Arrow's libraries start threads when they are loaded unless told not to; a fork wants none.
    kept = child.environment(OPENBLAS_NUM_THREADS="1", JE_ARROW_MALLOC_CONF="background_thread:false")
    kept.setdefault("OMP_WAIT_POLICY", "passive")
    # Each of its workers trains alone: what a cluster said to the studio is not said to them.
    return {name: value for name, value in kept.items() if name not in (*_SECRETS, *ranks.VARIABLES)}


def code_version(module: str) -> str:
    """A mark of the code a keeper runs, so that an update of the studio replaces it."""
    digest = hashlib.sha256(f"{module} {sys.version} {sys.prefix}".encode())
    for file in sorted(Path(studio.__file__).parent.rglob("*.py")):
        stat = file.stat()
        digest.update(f"{file} {stat.st_mtime_ns} {stat.st_size}".encode())
    return digest.hexdigest()[:16]


class Keeper:
    """Answers questions one at a time on a private socket and reaps its children."""

    def __init__(self, home: Path, module: str, targets: dict[str, str] | None = None) -> None:
        self.home = home
        self.module = module
        self.targets = targets or TARGETS
        self.children: dict[int, Child] = {}
        self.forkable = True
        self.retired = self.asked_to_go = False
        self.last_asked = time.monotonic()
        self.identity = process.identify(os.getpid())

    def run(self, preload: tuple[str, ...] = PRELOAD, idle: float = IDLE) -> None:
        """Work until idle or retired. Returns at once when another keeper holds the workspace."""
        self.lock = os.open(self.home / "keeper.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        self._listen()
        self._preload(preload)
        while not (self.retired and not self.children):
            self._turn()
            quiet = time.monotonic() - self.last_asked > idle
            if self.asked_to_go or (quiet and not self.children):
                self._retire()

    def _be_asked_to_go(self) -> None:
        self.asked_to_go = True

    # ---- the socket ----

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.ears, mouth = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.mouth = mouth
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self._be_asked_to_go())
        signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
        place = self.home / "keeper.sock"
        self.short = ""
        if len(os.fsencode(place)) > LONGEST_PATH:
            self.short = tempfile.mkdtemp(prefix="studio-", dir="/tmp")
            place = Path(self.short) / "keeper.sock"
        place.unlink(missing_ok=True)
        self.place = place
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(os.fspath(place))
        os.chmod(place, 0o700)
        self.listener.listen(64)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.ears, selectors.EVENT_READ)
        code = code_version(self.module)
        write_whole(self.home / RECORD, json.dumps({**self.identity, "socket": str(place), "code": code}))

    def _preload(self, modules: tuple[str, ...]) -> None:
        began = time.monotonic()
        for name in modules:
            try:
                importlib.import_module(name)
            except Exception:
                # The worker that needs it will say so where people can see it.
                logger.exception("cannot import %s", name)
        threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
        self.forkable = threads == 1
        if not self.forkable:
            logger.warning("%d threads after the imports: workers start in a fresh Python", threads)
        gc.collect()
        gc.freeze()
        self.last_asked = time.monotonic()
        logger.info("ready after %.1f s", time.monotonic() - began)

    def _turn(self) -> None:
        for key, _ in self.selector.select(timeout=1.0):
            if key.fileobj is self.listener:
                self._serve_one()
            else:
                os.read(self.ears, 4096)
        self._reap()

    def _serve_one(self) -> None:
        line, _ = self.listener.accept()
        self.last_asked = time.monotonic()
        with line:
            line.settimeout(5)
            self.line = line
            try:
                block = b""
                while not block.endswith(b"\n"):
                    piece = line.recv(65536)
                    if not piece:
                        return
                    block += piece
                try:
                    answer = self._answer(json.loads(block))
                except Exception as error:
                    logger.exception("question %s", block[:200])
                    answer = {"error": f"{type(error).__name__}: {error}"}
                line.sendall(json.dumps(answer).encode() + b"\n")
            except OSError as error:
                logger.info("a client went away: %s", error)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        match question["do"]:
            case "ping":
                workers = [child.name for child in self.children.values()]
                return {**self.identity, "children": workers, "forkable": self.forkable}
            case "start":
                return self._start(question)
            case "serve":
                return self._serve(question)
            case "retire":
                self._retire()
                return {"retired": True}
        raise ValueError(question["do"])

    def _retire(self) -> None:
        """Make room for another keeper; own workers are still waited for."""
        if self.retired:
            return
        self.retired = True
        self.selector.unregister(self.listener)
        self.listener.close()
        self.place.unlink(missing_ok=True)
        if self.short:
            shutil.rmtree(self.short, ignore_errors=True)
        (self.home / RECORD).unlink(missing_ok=True)
        os.close(self.lock)

    # ---- children ----

    def _start(self, question: dict[str, Any]) -> dict[str, Any]:
        """Start the worker of an attempt. The attempt's own file decides when it is asked for twice."""
        folder, attempt = Path(question["folder"]), int(question["attempt"])
        record = folder / f"attempt-{attempt}.json"
        known = read_json(record)
        if known is not None:
            return known
        fresh = bool(question.get("exec")) or not self.forkable
        worker = Child(f"{question['kind']} {folder.name}", folder, record, attempt)
        self._launch(worker, question["kind"], [str(folder), str(attempt)], fresh)
        return read_json(record) or {"error": "the worker ended before it began"}

    def _serve(self, question: dict[str, Any]) -> dict[str, Any]:
        """Start a helper of the workspace, of which there is one at a time."""
        name = question["name"]
        folder = self.home / "servers" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        record = folder / "process.json"
        known = read_json(record)
        if known is not None and process.lives(known):
            return known
        record.unlink(missing_ok=True)
        fresh = bool(question.get("exec")) or not self.forkable
        self._launch(Child(name, folder, record, 0), name, question["arguments"], fresh)
        return read_json(record) or {"error": f"{name} ended before it began"}

    def _launch(self, child: Child, target: str, arguments: list[str], fresh: bool) -> None:
        mine = [self.listener.fileno(), self.line.fileno(), self.ears, self.mouth, self.lock, self.selector_file()]
        start_child(child, self.targets[target], arguments, fresh, (self.identity, [fd for fd in mine if fd >= 0]))
        self.children[child.pid] = child

    def selector_file(self) -> int:
        """The selector's own file descriptor, where it has one."""
        fileno = getattr(self.selector, "fileno", None)
        return int(fileno()) if fileno else -1

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = self.children.pop(ended.si_pid, None)
            if child is not None:
                # The number is still ours until waited for, so nobody else can be hit.
                end_group(ended.si_pid)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if child is not None:
                child.write_exit(status, usage.ru_maxrss * 1024)
                self.last_asked = time.monotonic()


def main(
    module: str = "studio.runs.keeper", preload: tuple[str, ...] = PRELOAD, extra: dict[str, str] | None = None
) -> None:
    """Step into the background and keep the workspace named by the first argument."""
    home = Path(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(process)d %(message)s", level=logging.INFO)
    log = home / "keeper.log"
    if log.exists() and log.stat().st_size > 1_000_000:
        os.truncate(log, 0)
    Keeper(home, module, {**TARGETS, **(extra or {})}).run(preload)


if __name__ == "__main__":
    main()
