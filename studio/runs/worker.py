"""What a worker process does: one attempt of a run, from reading the spec to the last event.

It turns whatever goes wrong into an event with a code; a fault of ours leaves its traceback in a file of its own.
Stopping is asked by the STOP file in the run's folder, or by SIGTERM.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import studio
from studio.errors import UserError
from studio.events import Done, Emit, Event, Failed, Note, Phase, Stopped
from studio.files import write_whole
from studio.runs import states
from studio.runs.aside import Aside
from studio.runs.files import is_full
from studio.runs.journal import Journal
from studio.spec import Spec
from studio.words import say
from studio.workspace import Workspace

ShouldStop = Callable[[], "str | None"]
Body = Callable[[Path, Spec, Emit, ShouldStop], None]
_LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "datasets",
    "tokenizers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "bitsandbytes",
)
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")
_EVERY = 0.5
"""Least seconds between two progress events of fetching."""


def main(folder: str, attempt: str) -> int:
    """One attempt of a training run; the exit code is 0 when the run ended as planned or as asked."""
    from studio.training.reporting import report_saved

    with Aside(report_saved) as aside:
        return attend(Path(folder), int(attempt), partial(train, attempt=int(attempt), report=aside))


def attend(folder: Path, attempt: int, body: Body) -> int:
    """Run `body` as an attempt: one worker a run, every ending an event."""
    journal = Journal(folder, attempt)
    ended: list[Event] = []

    def emit(event: Event) -> None:
        if isinstance(event, Done | Stopped | Failed):
            ended.append(event)
        journal.emit(event)

    lock = os.open(folder / "worker.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        emit(Note("timeline.attempt_started", {"attempt": attempt}))
        should_stop = _stopper(folder)
        if should_stop() and attempt == 1:
            emit(Stopped(0))
        else:
            body(folder, Spec.loads((folder / "spec.json").read_text(encoding="utf-8")), emit, should_stop)
        if not ended:
            raise RuntimeError("the work ended without saying how")
    except BaseException as error:
        # First: where memory is short, telling a traceback may not go well.
        if not ended:
            emit(failure(error, folder))
        _keep_traceback(folder, attempt, error)
    finally:
        journal.close()
        os.close(lock)
    return 0 if isinstance(ended[-1], Done | Stopped) else 1


def _keep_traceback(folder: Path, attempt: int, error: BaseException) -> None:
    """Tracebacks name paths of this machine and help nobody but us, so the log that the page shows only names the
    file; what a person can mend is told by its event and needs none."""
    if isinstance(error, UserError):
        return
    file = folder / f"traceback-{attempt}.txt"
    with contextlib.suppress(OSError, MemoryError):
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        sys.stderr.write(say("timeline.fault", kind=type(error).__name__, file=file.name) + "\n")


def _stopper(folder: Path) -> ShouldStop:
    asked: list[str] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append("stop"))
    stop = folder / "STOP"

    def should_stop() -> str | None:
        if stop.exists():
            return "best" if stop.read_text(encoding="utf-8").strip() == "best" else "stop"
        return asked[0] if asked else None

    return should_stop


def failure(error: BaseException, folder: Path | None = None) -> Failed:
    """The event for an exception: what a person can mend by its own code, memory as such, the rest as our fault.

    `folder` is named for a full disk that was met in the middle of a file, where the system names none.
    """
    if isinstance(error, UserError):
        return Failed(error.code, error.values)
    if isinstance(error, BlockingIOError):
        return Failed("worker_twice")
    if is_out_of_memory(error):
        return Failed("out_of_memory", {}, states.OUT_OF_MEMORY)
    if is_full(error):
        return Failed("disk_full", {"path": str(getattr(error, "filename", None) or folder or "-")})
    return Failed("worker_bug", {"kind": f"{type(error).__name__}: {error}"[:200]})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, of the host or of a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # torch has one class for a device and none for the host, whose words differ by system and by what it was doing.
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def train(
    folder: Path, spec: Spec, emit: Emit, should_stop: ShouldStop, attempt: int = 1, report: Aside | None = None
) -> None:
    """Fetch what is missing, then train; `report` is the process that reports (None: this one)."""
    from studio import hardware
    from studio.data.versions import held
    from studio.inference.continuing import bring
    from studio.models.card import read_card
    from studio.models.earlier import is_run
    from studio.models.fetch import fetch
    from studio.models.filling import filler_folder
    from studio.runs import speeds
    from studio.training.assemble import SCRATCH_BASE as BASE
    from studio.training.augmented import AUGMENTED
    from studio.training.checkpoints import last_step
    from studio.training.firstlanguage import wanted
    from studio.training.run import CHECKPOINTS, Inputs, train_run

    workspace = Workspace.open(folder.parents[2])
    keep_versions(folder, attempt)
    data = held(workspace, spec.owner, spec.data)
    model: Path | None = None
    if spec.model:
        emit(Phase("fetching"))
        try:
            if is_run(spec.model):
                model = bring(workspace, spec.model, folder / BASE)
            else:
                model = fetch(workspace, spec.model, _progress(emit, "fetching", should_stop))
        except _Asked:
            pass
    if should_stop():
        emit(Stopped(last_step(folder / CHECKPOINTS)))
        return
    machine = hardware.read_or_probe(workspace)
    about = (spec.model, spec.task, spec.method, spec.options.get("training", {}))
    inputs = Inputs(data.folder, model, machine, speeds.known(workspace, *about) if spec.model else None)
    training = spec.options.get("training", {})
    if training.get("augment") == "context" and not (folder / AUGMENTED).is_file():
        inputs = dataclasses.replace(inputs, filler=filler_folder(workspace, str(training.get("augment_model", ""))))
    if wanted(spec) and model is not None:
        spoken = speeds.known_language(workspace, read_card(model, spec.model), spec.options["training"])
        inputs = dataclasses.replace(inputs, language=spoken)
    train_run(folder, spec, inputs, emit, should_stop, *([report] if report else []))


class _Asked(Exception):
    """Raised through a download when the run was asked to stop meanwhile."""


def _progress(emit: Emit, phase: str, should_stop: ShouldStop) -> Callable[[int, int], None]:
    last = [0.0]

    def progress(done: int, total: int) -> None:
        if should_stop():
            raise _Asked
        now = time.monotonic()
        if now - last[0] >= _EVERY or done == total:
            last[0] = now
            emit(Phase(phase, done, total))

    return progress


def keep_versions(folder: Path, attempt: int) -> None:
    """versions.json is what the run began with; a later attempt may be another installation's and writes its own."""
    name = "versions.json" if attempt == 1 else f"versions-{attempt}.json"
    write_whole(folder / name, json.dumps(versions(), indent=1))


def versions() -> dict[str, Any]:
    """What the run was made with: the studio, Python, the system and the libraries."""
    found: dict[str, Any] = {
        "studio": studio.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
