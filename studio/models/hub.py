"""Fetching a public model from the Hugging Face hub: safetensors, config and tokenizer only, of one pinned revision.

It runs as a child process (`python -m studio.models.hub NAME FOLDER RESULT`), so that it can be stopped at any
moment and neither reads a token from this machine nor leaves a cache behind. Only public models are fetched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import child
from studio.errors import UserError
from studio.models import rules

SMALL = (
    *("config.json", "generation_config.json", "README.md", "chat_template.jinja"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "model.safetensors.index.json"),
)
_POLL_SECONDS = 0.3
_RESERVE = 2**28


def download(name: str, folder: Path, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Fill `folder` (empty, exists) with the model called `name`; returns what is to be remembered beside it.

    `progress(bytes, total)` may raise to stop. Raises UserError: `hub_unreachable`, `hub_offline`, `hub_not_found`,
    `hub_gated`, `hub_no_safetensors`, `disk_space`, and those of the rules for model folders.
    """
    result, log = folder.parent / "result.json", folder.parent / "hub.log"
    quiet = child.environment(
        HF_HOME=str(folder.parent / "home"),
        HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
    )
    for secret in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        quiet.pop(secret, None)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            child.command("studio.models.hub", name, str(folder), str(result)),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=quiet,
        )
        try:
            while process.poll() is None:
                progress(*_seen(folder))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == child.FULL:
        raise UserError("disk_full_download", package=name)
    if process.returncode != 0 or not result.is_file():
        said = log.read_text("utf-8", errors="replace").strip().splitlines() or [child.end_of(process.returncode)]
        raise UserError("hub_failed", model=name, reason=said[-1][:200])
    outcome = json.loads(result.read_text("utf-8"))
    if "code" in outcome:
        raise UserError(outcome["code"], **outcome["values"])
    found: dict[str, Any] = outcome
    return found


def _seen(folder: Path) -> tuple[int, int]:
    """Bytes that have arrived, and all that will; (0, 0) until the hub has said how many."""
    try:
        total = int((folder.parent / "total").read_text())
    except (OSError, ValueError):
        return 0, 0
    done = 0
    for path in folder.rglob("*"):
        try:
            done += path.stat().st_size
        except OSError:  # renamed while we look
            continue
    return min(done, total), total


def _fetch(name: str, folder: Path) -> dict[str, Any]:
    """The small files first, so that a model that breaks a rule is refused before its weights are fetched."""
    from huggingface_hub import HfApi, snapshot_download

    information = HfApi(token=False).model_info(name, files_metadata=True, token=False)
    if information.gated:
        raise UserError("hub_gated", model=name)
    sizes = {item.rfilename: int(item.size or 0) for item in information.siblings or []}
    weights = [path for path in sizes if path == "model.safetensors"] or [
        path for path in sizes if path.startswith("model-") and path.endswith(".safetensors") and "/" not in path
    ]
    small = [path for path in SMALL if path in sizes and sizes[path] <= rules.TOKENIZER_BYTES]
    wanted = sum(sizes[path] for path in [*small, *weights])
    (folder.parent / "total").write_text(str(wanted))
    free = shutil.disk_usage(folder).free
    if free < wanted + _RESERVE:
        needed = (wanted + _RESERVE) // 10**6
        raise UserError("disk_space", model=name, needed=needed, free=free // 10**6)

    def take(names: list[str]) -> None:
        snapshot_download(name, revision=information.sha, local_dir=folder, allow_patterns=names, token=False)

    take(small)
    rules.check_folder(folder)
    if not weights:
        raise UserError("hub_no_safetensors", model=name)
    take(weights)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return {"id": f"hub:{name}", "title": name, "revision": information.sha, "hub_id": name}


def _error(name: str, error: Exception) -> UserError:
    """The error a person can act on. Classes are told by name: the library's own sit on several others'."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    host = os.environ.get("HF_ENDPOINT", "huggingface.co").partition("://")[2] or "huggingface.co"
    if isinstance(error, UserError):
        return error
    if kinds & {"OfflineModeIsEnabled"}:
        return UserError("hub_offline", model=name)
    if kinds & {"GatedRepoError"}:
        return UserError("hub_gated", model=name)
    if kinds & {"RepositoryNotFoundError", "HFValidationError", "RevisionNotFoundError"}:
        return UserError("hub_not_found", model=name, host=host)
    if child.is_full(error):
        return UserError("disk_full_download", package=name)
    if kinds & {"TransportError", "TimeoutException", "ConnectionError", "LocalEntryNotFoundError", "HfHubHTTPError"}:
        return UserError("hub_unreachable", model=name, host=host)
    return UserError("hub_failed", model=name, reason=f"{type(error).__name__}: {error}"[:200])


def _main(name: str, folder: str, result: str) -> None:
    child.limit()
    try:
        outcome = _fetch(name, Path(folder))
    except Exception as error:  # every failure becomes a sentence in the parent
        known = _error(name, error)
        outcome = {"code": known.code, "values": known.values}
    child.leave(result, outcome)


if __name__ == "__main__":
    _main(*sys.argv[1:4])
