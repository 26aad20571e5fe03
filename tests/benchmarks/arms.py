"""Two settings of the same training beside each other: what each reaches on the test rows and what its steps cost.

    python tests/benchmarks/arms.py --home DIR --sets help_desk,hotel_reviews --method lora
        --arm method.dropout=0.05 --arm method.dropout=0 [--set epochs=12] [--seeds 3] [--out arms.json]

The arms take turns, seed by seed, in one process with one thread; a seed is that of the split, the order and the new
head. An arm is one or more settings joined by commas. Cost is processor time from the first step to the last, so
neighbours count less than on a clock. The first arm is what the others are compared with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sets

sys.path.insert(0, str(sets.ROOT))

from quality import GOALS

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.data.versions import held
from studio.events import Emit, Event, Phase, Step
from studio.inference.predictor import Predictor
from studio.models.fetch import fetch
from studio.runs.draft import draft, use_of
from studio.runs.settings import read_settings
from studio.spec import Spec
from studio.training.batching import ListItems
from studio.training.job import Stop
from studio.training.rows import Inputs, read_table
from studio.training.run import train_run
from studio.training.validation import Validation
from studio.workspace import Workspace


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace for models and data")
    asked.add_argument("--sets", required=True, help="sets of quality.py")
    asked.add_argument("--method", default="lora")
    asked.add_argument("--arm", action="append", required=True)
    asked.add_argument("--set", action="append", default=[], help="a setting of every arm")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--rows", type=int, default=0, help="at most so many rows of each set")
    asked.add_argument("--out", type=Path, default=Path("arms.json"))
    given = asked.parse_args()
    workspace = Workspace.open(given.home)
    (given.home / "sets").mkdir(exist_ok=True)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in given.sets.split(","):
        file = shortened(GOALS[name].make(given.home / "sets"), given.rows, given.home / "sets")
        version = import_file(workspace, "local", file, file.name)
        rounds: dict[str, list[dict[str, float]]] = {arm: [] for arm in given.arm}
        found[name] = rounds
        for seed in range(1, given.seeds + 1):
            for arm in rounds:
                use, *_ = use_of(workspace, version)
                settings = read_settings([*given.set, *arm.split(","), f"seed={seed}"], use.task, given.method)
                use = Use(use.task, use.columns, settings.split_of(use.split))
                words = GOALS[name].words
                model = words[words.index("--model") + 1] if "--model" in words else ""
                made = draft(
                    workspace, version, use=use, model=model, method=given.method, options=settings.options, seed=seed
                )
                rounds[arm].append(trained(workspace, made.spec, given.home))
                print(f"{name} {arm} {seed} {rounds[arm][-1]}", file=sys.stderr, flush=True)
                given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
        tell(name, rounds)


def shortened(file: Path, rows: int, place: Path) -> Path:
    """The first rows of a file of one row a line."""
    if not rows:
        return file
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    short = place / f"short-{rows}-{file.name}"
    short.write_text("".join(lines[: rows + (file.suffix == ".csv")]), encoding="utf-8")
    return short


class Clock:
    """Processor seconds between the first phase of training and the last step, and what a step took."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.steps = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Phase) and event.name == "training" and not self.began:
            self.began = time.process_time()
        elif isinstance(event, Step):
            self.ended, self.steps = time.process_time(), event.step


def trained(workspace: Workspace, spec: Spec, home: Path) -> dict[str, float]:
    clock = Clock()
    machine = dataclasses.replace(hardware.read_or_probe(workspace), threads=1)
    inputs = Inputs(
        held(workspace, spec.owner, spec.data).folder, fetch(workspace, spec.model, lambda done, total: None), machine
    )
    kept: list[float] = []

    def judge(run_dir: Path, spec: Spec, inputs: Inputs, emit: Emit, stop: Stop) -> tuple[str, float]:
        kept.append(scored(run_dir, spec, inputs))
        return "main", kept[0]

    with tempfile.TemporaryDirectory(dir=home) as place:
        train_run(Path(place), spec, inputs, clock, lambda: None, judge)
    return {"score": kept[0], "seconds": clock.ended - clock.began, "steps": clock.steps}


def scored(run_dir: Path, spec: Spec, inputs: Inputs) -> float:
    """The main metric of the saved model on the test rows."""
    tuned = Predictor.load(run_dir, "cpu")
    table, _ = read_table(run_dir, spec, tuned.task, inputs.data)
    rows = table.part("test")
    length = json.loads((run_dir / "plan.json").read_text("utf-8"))["options"]["max_length"]
    items = ListItems(tuned.task.encode(rows, tuned.tokenizer, tuned.facts, length))
    judge = Validation(tuned.task, tuned.facts, tuned.tokenizer, items, rows, table.part_numbers("test"), "cpu", 1)
    return float(judge(tuned.model).main)


def tell(name: str, rounds: dict[str, list[dict[str, Any]]]) -> None:
    """A line an arm: the mean score, the least and most, the difference to the first arm by seed, and the cost."""
    first = next(iter(rounds.values()))
    for arm, runs in rounds.items():
        scores = [one["score"] for one in runs]
        apart = [one["score"] - other["score"] for one, other in zip(runs, first, strict=True)]
        cost = statistics.median(one["seconds"] / other["seconds"] for one, other in zip(runs, first, strict=True))
        print(
            f"{name:16}{arm:32}{statistics.mean(scores):8.3f} ({min(scores):.3f} to {max(scores):.3f})"
            f"  apart {statistics.mean(apart):+.3f} ({min(apart):+.3f} to {max(apart):+.3f})  time {cost:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
