"""Downloading one hash-pinned wheel with the pip, the index and the settings a person already has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from studio import child
from studio.errors import UserError

Progress = Callable[[int, int], None]
_POLL_SECONDS = 0.2


def download(requirement: str, sha256: str, size: int, folder: Path, progress: Progress, platform: str = "") -> Path:
    """The wheel of `requirement` in `folder`. `progress(bytes, size)` is called while it arrives and may raise to stop.

    Raises UserError: `index_unreachable`, `index_lacks`, `download_changed` (another hash), `disk_full`, `no_pip`,
    `download_failed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="pip-", dir=folder))
    pinned = work / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n", "utf-8")
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input"]
    arguments += ["--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
    arguments += ["--platform", platform] if platform else []
    # pip collects a download in its temporary folder first; ours is watched, so that a bar can move. What it says
    # comes through a pipe: a file for it would be cut short by the very disk that became full.
    process = subprocess.Popen(
        child.command("pip", *arguments, "--dest", str(folder), "--requirement", str(pinned)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        # What pip says is read below, so a "quiet" of the person's own must not hold.
        env=child.environment(TMPDIR=str(work), PYTHONSAFEPATH="1", PIP_QUIET="0"),
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    heard = b""
    try:
        while process.poll() is None:
            heard += process.stdout.read() or b""
            progress(min(_bytes_below(folder), size), size)
            time.sleep(_POLL_SECONDS)
        heard += process.stdout.read() or b""
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        process.stdout.close()
    wheels = sorted(folder.glob("*.whl"))
    said = heard.decode("utf-8", "replace")
    shutil.rmtree(work, ignore_errors=True)
    if process.returncode == 0 and wheels:
        progress(size, size)
        return wheels[0]
    raise explain(said, requirement, process.returncode)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip moves its files while we look
            continue
    return total


def explain(said: str, requirement: str, returncode: int) -> UserError:
    """The error a person can act on, from what pip printed."""
    package = requirement.partition("==")[0]
    index = _index(said)
    if "No module named pip" in said:
        return UserError("no_pip", package=package)
    if "DO NOT MATCH THE HASHES" in said:
        return UserError("download_changed", package=requirement, index=index)
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return UserError("disk_full_download", package=package)
    if re.search(r"Retrying \(|Connection|Max retries|ProxyError|SSLError|Temporary failure|timed out|40[137] ", said):
        return UserError("index_unreachable", package=package, index=index)
    if "No matching distribution" in said or "Could not find a version" in said:
        return UserError("index_lacks", package=requirement, index=index)
    lines = [line for line in said.splitlines() if line.strip()]
    last = _redact(lines[-1]) if lines else str(returncode)
    return UserError("download_failed", package=package, reason=last[:200])


def _index(said: str) -> str:
    """The index pip named, without what may be a password in its address; pip is silent about its default."""
    found = re.search(r"Looking in indexes: (\S+)", said)
    return _redact(found.group(1).rstrip(",")) if found else "pypi.org"


def _redact(text: str) -> str:
    return re.sub(r"//[^/\s@]+@", "//", text)
