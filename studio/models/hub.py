"""The Hugging Face hub: a search, a look at a model there, fetching one (safetensors, config and tokenizer only).

All of it happens in a child process (`python -m studio.models.hub ...`), so that it can be stopped at any moment and
neither reads a token from this machine nor leaves a cache behind. A token given for one download reaches the child by
its standard input and is written nowhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio import child
from studio.errors import UserError
from studio.models.card import Card
from studio.workspace import Workspace, new_id

SECONDS = 40
"""How long a search or a look may take."""
RESERVE = 2**28
"""Bytes that stay free on the disk."""
_POLL_SECONDS = 0.3
_ANSWERED = re.compile(r"HTTP Error (\d{3}) thrown while requesting")


def search(workspace: Workspace, text: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Public models whose name holds `text`, of these kinds ("encoder", ...), the most downloaded first.

    Each has id, title, parameters, bytes, licence, languages, downloads, gated. Raises UserError as `download`.
    """
    found: list[dict[str, Any]] = asked(workspace, "find", text, {"text": text, "kinds": list(kinds)})["found"]
    return found


def look(workspace: Workspace, name: str) -> Card:
    """The card of the hub's model `name` without fetching it. Raises UserError as `download`."""
    return Card.from_json(asked(workspace, "look", name, {"name": name})["card"])


def refused(about: str, status: int, whom: str) -> UserError:
    """The error for an HTTP status that says no."""
    return (
        UserError("hub_busy", model=about, host=whom)
        if status == 429
        else UserError("hub_refused", model=about, host=whom, status=status)
    )


def host() -> str:
    """Whom the client asks, for a sentence."""
    return os.environ.get("HF_ENDPOINT", "").partition("://")[2] or "huggingface.co"


def asked(workspace: Workspace, act: str, about: str, request: dict[str, Any], token: str = "") -> dict[str, Any]:
    """The answer of a child that does `act` and leaves nothing: a search, a look. Raises UserError as `download`."""
    work = workspace.temporary / new_id("hub")
    work.mkdir(mode=0o700, parents=True)
    until = time.monotonic() + SECONDS

    def poll() -> None:
        """The client itself tries again for minutes, or waits as long as the hub asks; no reader of a page does."""
        said = (work / "hub.log").read_text("utf-8", errors="replace")
        answered = _ANSWERED.search(said)
        if answered:
            raise refused(about, int(answered.group(1)), host())
        if said.count("thrown while requesting") > 1:
            raise UserError("hub_unreachable", model=about, host=host())
        if time.monotonic() > until:
            raise UserError("hub_unreachable", model=about, host=host())

    try:
        return run(act, about, {**request, "folder": str(work / "model")}, work, poll, token)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download(
    name: str, folder: Path, work: Path, progress: Callable[[int, int], None], token: str = ""
) -> dict[str, Any]:
    """Fill `folder` (exists, perhaps with what a broken attempt brought) with the model called `name`; returns what is
    to be remembered beside it. `work` (exists) is for passing things.

    `progress(bytes, total)` may raise to stop. Raises UserError: `hub_unreachable`, `hub_offline`, `hub_not_found`,
    `hub_gated`, `hub_token_refused`, `hub_no_access`, `hub_busy`, `hub_refused`, `hub_damaged`, `hub_no_safetensors`,
    `disk_space`, and those of the rules for model folders.
    """
    total = work / "total"
    request = {"name": name, "folder": str(folder), "total": str(total)}
    return run("fetch", name, request, work, lambda: progress(*seen(folder, total)), token)


def run(
    act: str,
    about: str,
    request: dict[str, Any],
    work: Path,
    poll: Callable[[], None],
    token: str,
) -> dict[str, Any]:
    """Have a child do `act` about something in the folder `work` (exists), with `poll()` called meanwhile, which may
    raise to stop it. Raises UserError for what it, or its end, says."""
    result, log = work / "result.json", work / "hub.log"
    quiet = child.environment(
        HF_HOME=str(work / "home"),
        HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
    )
    for secret in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        quiet.pop(secret, None)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            child.command("studio.models.hub", act, json.dumps(request), str(result)),
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=quiet,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(token.encode())
            process.stdin.close()
            while process.poll() is None:
                poll()
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == child.FULL:
        raise UserError("disk_full_download", package=about)
    if process.returncode != 0 or not result.is_file():
        said = log.read_text("utf-8", errors="replace").strip().splitlines() or [child.end_of(process.returncode)]
        raise UserError("hub_failed", model=about, reason=_without(said[-1], token)[:200])
    outcome: dict[str, Any] = json.loads(result.read_text("utf-8"))
    if "code" in outcome:
        raise UserError(outcome["code"], **outcome["values"])
    return outcome


def _without(text: str, token: str) -> str:
    return text.replace(token, "***") if token else text


def seen(folder: Path, told: Path) -> tuple[int, int]:
    """Bytes that have arrived, and all that will; (0, 0) until the hub has said how many."""
    try:
        total = int(told.read_text())
    except (OSError, ValueError):
        return 0, 0
    done = 0
    for path in folder.rglob("*"):
        try:
            done += path.stat().st_size
        except OSError:  # renamed while we look
            continue
    return min(done, total), total


def _main(act: str, request: str, result: str) -> None:
    from studio.models import hubclient, hubsets

    child.limit()
    child.end_with_parent()
    wish = json.loads(request)
    token = sys.stdin.read().strip()
    folder = Path(wish["folder"])
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if act == "find":
            outcome: dict[str, Any] = {"found": hubclient.find(wish["text"], wish["kinds"])}
        elif act == "look":
            outcome = {"card": hubclient.look(wish["name"], folder)}
        elif act == "set-look":
            outcome = hubsets.look(wish["name"], token)
        elif act == "set-fetch":
            outcome = hubsets.fetch(wish["name"], folder, wish, token)
        else:
            outcome = hubclient.fetch(wish["name"], folder, Path(wish["total"]), token)
    except Exception as error:  # every failure becomes a sentence in the parent
        known = hubclient.explained(wish.get("name") or wish.get("text", ""), error, bool(token), host())
        values = {
            key: _without(value, token) if isinstance(value, str) else value for key, value in known.values.items()
        }
        outcome = {"code": known.code, "values": values}
    child.leave(result, outcome)


if __name__ == "__main__":
    _main(*sys.argv[1:4])
