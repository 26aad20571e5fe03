"""Large files: seconds and peak memory of everything the workshop does with a million rows, beside pandas doing the same.

    python tests/benchmarks/data.py PLACE [--only jsonl|csv] [--skip near,...] [--out FILE]

PLACE holds the generated files and the workspace. The asking process stands for the web process: it calls what the
page's handlers call, and how much it grows is measured; the work itself is done by the studio's own processes. pandas
works in a process of its own, an operation a process for what changes rows, reading not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import big
import psutil

from studio.data import queries, versions
from studio.data.importing import import_file
from studio.data.mending import Chosen
from studio.data.paging import View
from studio.data.store import DataVersion, read_rows
from studio.errors import UserError
from studio.spec import Split
from studio.workspace import Workspace

COLUMNS = {"text": "text", "label": "label"}
PANDAS = """
import json, resource, sys, time
import pandas as pd
path, work = sys.argv[1:]
began = time.perf_counter()
frame = pd.read_json(path, lines=True, dtype=str) if path.endswith("jsonl") else pd.read_csv(path, dtype=str)
if work == "profile":
    for name in frame:
        frame[name].nunique(), frame[name].str.len().describe(), frame[name].value_counts().head(30), frame[name].isna().sum()
read = time.perf_counter()
if work == "page": frame.iloc[700_000:700_025].to_dict("records")
if work == "filter": frame[frame["label"] == "praise"].head(25)
if work == "search": frame[frame["text"].str.contains("abcdef0", case=False, regex=False)].head(25)
if work == "sort": frame.sort_values("text", kind="stable").head(25)
if work == "dedupe": frame.drop_duplicates("text").to_parquet(path + ".out")
if work == "redact":
    frame["text"] = frame["text"].str.replace(r"[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+", "[EMAIL]", regex=True)
    frame.to_parquet(path + ".out")
done = time.perf_counter()
print(json.dumps([done - began if work == "profile" else done - read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


class Watch:
    """Peak resident memory, in MB, of this process and of the largest of its children while it looks."""

    def __init__(self) -> None:
        self.own = self.child = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.02):
            self.own = max(self.own, me.memory_info().rss / 2**20)
            for one in me.children(recursive=True):
                try:
                    self.child = max(self.child, one.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """(seconds, peak MB of the worker, what came of it)."""
    watch = Watch()
    began = time.perf_counter()
    try:
        result = work()
    except UserError as error:
        result = error.text("en")
    seconds = time.perf_counter() - began
    watch.end()
    return seconds, watch.child, result


def pandas(path: Path, work: str) -> tuple[float, float] | None:
    done = subprocess.run([sys.executable, "-c", PANDAS, str(path), work], capture_output=True, text=True)
    if done.returncode:
        return None
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def measure(workspace: Workspace, path: Path, skip: set[str]) -> list[dict[str, Any]]:
    before = psutil.Process().memory_info().rss / 2**20
    own, found = Watch(), []

    def row(name: str, work: Callable[[], Any], beside: str = "", best_of: int = 1) -> Any:
        if name.split()[0] in skip:
            return None
        runs = [timed(work) for _ in range(best_of)]
        seconds, peak, result = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
        theirs = pandas(path, beside) if beside else None
        told = f"{name:28s} {seconds:8.2f} s {peak:7.0f} MB"
        told += f"   pandas {theirs[0]:8.2f} s {theirs[1]:7.0f} MB" if theirs else ""
        print(told, result if isinstance(result, str) else "", flush=True)
        found.append(
            {"file": path.name, "what": name, "seconds": round(seconds, 3), "worker_mb": round(peak),
             "pandas_seconds": theirs and round(theirs[0], 3), "pandas_mb": theirs and round(theirs[1]),
             "said": result if isinstance(result, str) else ""}
        )  # fmt: skip
        return result

    version = row("import and profile", lambda: import_file(workspace, "local", path, path.name), "profile")
    assert isinstance(version, DataVersion), version
    queries.page(version)
    row("page, in the middle", lambda: queries.page(version, 700_000, 25), "page", 5)
    row("filter, first page", lambda: queries.page(version, 0, 25, View(column="label", value="praise")), "filter", 5)
    row("search, first page", lambda: queries.page(version, 0, 25, View("refund")), "", 5)
    row("search, nothing found", lambda: queries.page(version, 0, 25, View("abcdef0")), "search", 5)
    row("search, total", lambda: queries.count(version, View("refund")), "", 5)
    row("sort by text, first page", lambda: queries.page(version, 0, 25, View(sort="text")), "sort", 5)
    row("sort by number, first page", lambda: queries.page(version, 0, 25, View(sort="score", falling=True)), "", 5)
    row("check and split", lambda: queries.check(version, "classification", COLUMNS, Split()))
    row("charts", lambda: queries.length_histogram(version, "classification", COLUMNS))
    row("rows for a plan", lambda: read_rows(version, COLUMNS, range(0, version.rows, version.rows // 400)))
    for name, step in (
        ("dedupe", Chosen("drop_duplicates", {"columns": ["text"]})),
        ("near-dedupe", Chosen("drop_near_duplicates", {"column": "text"})),
        ("redact", Chosen("redact", {"columns": ["text"]})),
    ):
        row(name, lambda step=step: versions.mend(workspace, "local", version, [step]), name)  # type: ignore[misc]
    own.end()
    grown = own.own - before
    print(f"{'the asking process grew by':28s} {grown:8.0f} MB", flush=True)
    found.append({"file": path.name, "what": "asking process grew", "mb": round(grown)})
    return found


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("place", type=Path)
    words.add_argument("--only", choices=("jsonl", "csv"), default="")
    words.add_argument("--skip", default="")
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    given.place.mkdir(parents=True, exist_ok=True)
    files = [big.jsonl(given.place / "m.jsonl")] if given.only != "csv" else []
    files += [big.table(given.place / "m.csv")] if given.only != "jsonl" else []
    workspace = Workspace.open(given.place / f"home-{os.getpid()}")
    queries.ask_processes()
    try:
        found = [line for path in files for line in measure(workspace, path, set(given.skip.split(",")))]
    finally:
        queries.end_processes()
    if given.out:
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
