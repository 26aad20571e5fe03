"""Runs of tiny models on the workspace of the running server, and the page at one of its tabs for such a run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]


def trained(studio: Any, file: Path, model: Path, *words: str, epochs: int = 8) -> str:
    """The run of the command line on the server's own workspace, with a tiny model that was made on the spot."""
    settings = (f"epochs={epochs}", "learning_rate=0.002", "evaluations=2", "max_length=32")
    command = [sys.executable, "-m", "studio.cli", "train", "--data", str(file), "--model", f"local:{model}", "--json"]
    for setting in settings:
        command += ["--set", setting]
    command += words
    done = subprocess.run(
        [*command, "--home", str(studio.home)], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return str(told["run"])


def at(page: Page, tab: str, run: str) -> None:
    root = re.match(r"http://[^/]+/(en|zh)/", page.url)
    assert root
    page.goto(f"{root.group(0)}?tab={tab}&run={run}")
    page.wait_for_selector("#header .top")


def fits(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px wider than the window"
