"""How long a person waits: from the first screen to a moving chart, to the simple model's and the tuned model's answer.

    python tests/benchmarks/clicks.py [--home DIR] [--rounds 3] [--sample "Only 12 rows a label"] [--out clicks.json]

Drives the real server with a real Chromium, as a person would click. The workspace should have the starter models on
disk (run it twice otherwise). The cold start is compared, in turns, with a bare Gradio app of one text box.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from sets import ROOT

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
GOALS = {
    "sample card to moving chart": 10.0,
    "sample card to tuned answer": 120.0,
    "first screen to the simple model's answer": 15.0,
}
BARE = """
import sys, gradio
with gradio.Blocks() as app:
    gradio.Textbox()
app.launch(server_port=int(sys.argv[1]), quiet=True)
"""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, default=None)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--sample", default="Only 12 rows a label")
    asked.add_argument("--out", type=Path, default=Path("clicks.json"))
    given = asked.parse_args()
    home = given.home or Path(tempfile.mkdtemp())
    found: dict[str, list[float]] = {}
    for number in range(given.rounds):
        for name, seconds in once(home, given.sample).items():
            found.setdefault(name, []).append(seconds)
        found.setdefault("bare Gradio's cold start", []).append(bare())
        print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
    missed = tell(found)
    given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if missed else 0


def tell(found: dict[str, list[float]]) -> int:
    """Print the table; how many goals are missed."""
    missed = 0
    print(f"{'':44}{'min':>8}{'median':>8}{'max':>8}  goal")
    for name, seconds in found.items():
        middle, goal = statistics.median(seconds), GOALS.get(name)
        late = goal is not None and middle > goal
        missed += late
        print(f"{name:44}{min(seconds):8.1f}{middle:8.1f}{max(seconds):8.1f}  {goal or ''}{'  MISSED' if late else ''}")
    ratio = statistics.median(
        a / b for a, b in zip(found["cold start"], found["bare Gradio's cold start"], strict=True)
    )
    print(f"{'cold start against bare Gradio':44}{'':8}{ratio:8.2f}{'':8}  1.3{'  MISSED' if ratio > 1.3 else ''}")
    return missed + (ratio > 1.3)


def once(home: Path, sample: str) -> dict[str, float]:
    """One visit of a fresh server."""
    start = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "launch.py", "--home", str(home), "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdout is not None
    try:
        address = next(
            found.group(0) for line in server.stdout if (found := re.search(r"http://\S+/login\?token=\S+", line))
        )
        urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(address).read()
        cold = time.monotonic() - start
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(600_000)
            page.goto(address)
            return {"cold start": cold, **visit(page, sample)}
    finally:
        server.terminate()
        server.wait()


def visit(page: Page, sample: str) -> dict[str, Any]:
    """The clicks, timed."""
    clock = time.monotonic
    page.wait_for_selector("#header .top")
    card = page.locator(".card", has_text=sample)
    card.get_by_role("button", name="Train it").wait_for()
    first = clock()
    card.get_by_role("button", name="Train it").click()
    page.wait_for_function("(document.querySelector('#live-island .chart')?.data?.[0]?.x ?? []).length >= 2")
    moving = clock() - first
    live = page.locator("#live-island")
    live.get_by_role("button", name="Try the simple models").click()
    page.locator("#play-text textarea").fill("The street lamp outside our house has been dark for a week")
    page.locator("#play-send").click()
    page.locator("#play-answers .bar").first.wait_for()
    simple = clock() - first
    page.get_by_role("tab", name="Train").click()
    page.locator("#live-island [data-state=done]").wait_for()
    done = clock() - first
    live.get_by_role("button", name="Try it").click()
    page.locator("#play-text textarea").fill("There is a dead fox on the pavement by the school")
    page.locator("#play-send").click()
    page.locator("#play-answers .card:has(h3:text-is('Tuned model')) .bar").first.wait_for()
    return {
        "sample card to moving chart": moving,
        "first screen to the simple model's answer": simple,
        "sample card to finished run": done,
        "sample card to tuned answer": clock() - first,
    }


def bare() -> float:
    """Seconds until a bare Gradio app serves its page."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as program:
        program.write(BARE)
        program.flush()
        start = time.monotonic()
        server = subprocess.Popen([sys.executable, program.name, "7893"], stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    urllib.request.urlopen("http://127.0.0.1:7893/").read()
                    return time.monotonic() - start
                except OSError:
                    time.sleep(0.02)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
