"""A real server on a workspace of its own and a real Chromium; pages fail a test when they ask anything of outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# A busy machine starts processes slowly; what is waited for appears or the test fails all the same.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(900))


class Studio:
    """The server as a person starts it, in a process of its own; `program` may set it up otherwise before."""

    def __init__(self, home: Path, program: str = "launch.py", **environment: str) -> None:
        self.home = home
        self.program, self.environment = program, environment
        self.port = 0
        self.address = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        # The server's log names every module it imports, which a test of what it must not import reads.
        command = [sys.executable, "-X", "importtime", self.program, "--home", str(self.home), "--port", str(self.port)]
        self.log = (self.home.parent / "server.log").open("a")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=ROOT,
            start_new_session=True,
            # Models of these tests lie beside the workspace, not in somebody's home.
            env={**os.environ, "STUDIO_MODEL_ROOTS": str(self.home.parent.parent), **self.environment},
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/login\?token=\S+", line)
            if found:
                self.address, self.port = found.group(0), int(found.group(1))
                return
        said = [line for line in self._log_lines() if not line.startswith("import time:")]
        raise AssertionError("the server did not start: " + "\n".join(said)[-2000:])

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.process is not None
        return self.process.pid

    def modules(self) -> set[str]:
        """Every module that a server of this fixture has imported so far."""
        return {line.rpartition("|")[2].strip() for line in self._log_lines() if line.startswith("import time:")}

    def _log_lines(self) -> list[str]:
        return (self.home.parent / "server.log").read_text(errors="replace").splitlines()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        for child in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.log.close()

    def workers(self) -> list[int]:
        """Processes that work on this workspace, the keeper among them."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                # The workspace itself often lies in a folder called after pytest.
                if str(self.home) in line and "pytest" not in line.replace(str(self.home), ""):
                    found.append(int(entry.name))
        return found


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One running studio for all journeys."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    place = Studio(tmp_path_factory.mktemp("journey") / "home")
    place.start()
    yield place
    place.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visit(studio: Studio, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open the studio in a new browser context: visit(width=390, dark=True, language="zh")."""
    contexts = []
    outside: list[str] = []
    errors: list[str] = []

    def visiting(width: int = 1440, height: int = 900, dark: bool = False, language: str = "en") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale="zh-CN" if language == "zh" else "en-US",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda asked: outside.append(asked.url) if _outside(asked.url) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "js_on_load" in said.text else None)
        page.goto(studio.address)
        page.wait_for_selector("#header .top")
        return page

    yield visiting
    for context in contexts:
        context.close()
    assert not outside, f"the page asked {outside}"
    assert not errors, f"the page's scripts failed: {errors}"


def _outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))


def until(what: Callable[[], object], seconds: float, step: float = 0.5) -> object:
    """The first true answer of `what` within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(step)
    raise AssertionError(f"not within {seconds} s")
