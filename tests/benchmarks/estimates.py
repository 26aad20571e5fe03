"""What the check before the start promises beside what the run then takes: seconds and memory of ten configurations.

    python tests/benchmarks/estimates.py --home DIR [--only NAME,...] [--repeat 1] [--guess] [--out estimates.json]

Each is drafted as the Train tab does it, after the few measured steps that the open tab asks for (`--guess`: without
them), run by the studio's own keeper, and read from the run's row (seconds of work) and the keeper's exit record (peak
resident memory of the worker and of the process that reports). The error is (promised - actual) / actual. Wants a quiet
machine: a busy one is not measured, and takes longer than was promised. Missed goals make the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sets

sys.path.insert(0, str(sets.ROOT))

from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.runs import speeds
from studio.runs.desk import Desk
from studio.runs.draft import Draft, draft, use_of
from studio.runs.files import read_json
from studio.runs.follow import follow
from studio.workspace import Workspace

SECONDS, MEMORY = 0.30, 0.25
"""The largest errors we want."""
PATIENCE = 60.0
"""Seconds in which the few measured steps are asked for again where the machine was busy."""


@dataclass(frozen=True)
class Case:
    """One configuration. `use` names the task and its columns where the guess is not what is wanted."""

    sample: str
    model: str
    method: str
    training: Mapping[str, Any] = field(default_factory=dict)
    use: Use | None = None


CASES = {
    "labels full": Case("help_desk", "starter:minilm", "full"),
    "labels head": Case("help_desk", "starter:minilm", "head"),
    "labels lora": Case("help_desk", "starter:minilm", "lora", {"epochs": 2}),
    "labels layers": Case("hotel_reviews", "starter:minilm", "last_layers", {"epochs": 2}),
    "labels long": Case("hotel_reviews", "starter:minilm", "full", {"max_length": 256, "epochs": 1}),
    "labels fgm": Case("few_rows", "starter:minilm", "full", {"adversarial": "fgm", "epochs": 4}),
    "chinese full": Case("waimai_reviews", "starter:e5", "full", {"epochs": 1}),
    "chinese short": Case("waimai_reviews", "starter:e5", "lora", {"max_length": 24, "epochs": 1}),
    "chat lora": Case("email_orders", "starter:smollm2", "lora", {"epochs": 0.5}),
    "prose masked": Case(
        "hotel_reviews", "starter:minilm", "full", {"epochs": 1}, Use("masked_lm", {"text": "review"})
    ),
}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace with the starter models on disk")
    asked.add_argument("--only", default=",".join(CASES))
    asked.add_argument("--repeat", type=int, default=1)
    asked.add_argument("--guess", action="store_true", help="promise from the model's card alone")
    asked.add_argument("--out", type=Path, default=Path("estimates.json"))
    given = asked.parse_args()
    names = given.only.split(",")
    if unknown := [name for name in names if name not in CASES]:
        asked.error(f"no such configuration: {', '.join(unknown)}; there are {', '.join(CASES)}")
    desk = Desk(Workspace.open(given.home))
    desk.supervise()
    found: dict[str, list[dict[str, Any]]] = {}
    missed = 0
    print(
        f"{'configuration':16}{'from':>10}{'said s':>8}{'took s':>8}{'error':>8}{'said MB':>9}{'took MB':>9}{'error':>8}"
    )
    try:
        for name in names:
            for _ in range(given.repeat):
                one = measured(desk, CASES[name], given.guess)
                found.setdefault(name, []).append(one)
                missed += not tell(name, one)
                given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    finally:
        desk.close()
    every = [one for runs in found.values() for one in runs]
    for what, goal in (("seconds", SECONDS), ("memory", MEMORY)):
        errors = [abs(error(one, what)) for one in every]
        within = sum(one <= goal for one in errors)
        print(
            f"{what}: {within} of {len(errors)} within {goal:.0%}, median {statistics.median(errors):.0%}, most {max(errors):.0%}"
        )
    return 1 if missed else 0


def measured(desk: Desk, case: Case, guess: bool) -> dict[str, Any]:
    """One run with what was promised for it."""
    (file,) = sets.SAMPLES.glob(f"{case.sample}.*")
    version = import_file(desk.workspace, "local", file, file.name)
    made = drafted(desk, version, case)
    began = time.monotonic()
    known = False
    while not guess and not known and time.monotonic() - began < PATIENCE:
        speeds.measure(desk, version, made.spec)
        training = made.spec.options["training"]
        known = speeds.known(desk.workspace, made.spec.model, made.spec.task, made.spec.method, training) is not None
    made = drafted(desk, version, case)
    if made.estimate is None:
        raise SystemExit(f"{case}: nothing was promised")
    run = desk.submit(made.spec, estimate=made.estimate.seconds)
    view = follow(desk, run, lambda view, events: None)
    if view.state != "done":
        raise SystemExit(f"{run} ended as {view.state}: {view.error} {view.error_values}")
    ended = read_json(desk.folder(run) / f"exit-{view.attempt}.json") or {}
    return {
        "from": "steps" if known else "card",
        "seconds": {"said": made.estimate.seconds, "took": view.seconds},
        "memory": {"said": made.estimate.memory_bytes, "took": ended["peak"]},
        "attempts": view.attempt,
        "run": run,
    }


def drafted(desk: Desk, version: DataVersion, case: Case) -> Draft:
    """As the Train tab drafts it."""
    use = case.use or use_of(desk.workspace, version)[0]
    options = {"training": dict(case.training)}
    made = draft(desk.workspace, version, use=use, model=case.model, method=case.method, options=options)
    if errors := [problem.text() for problem in made.problems if problem.severity == "error"]:
        raise SystemExit(f"{case}: {' '.join(errors)}")
    return made


def error(one: Mapping[str, Any], what: str) -> float:
    """By which share of the truth too much (or, below nought, too little) was promised."""
    return float((one[what]["said"] - one[what]["took"]) / one[what]["took"])


def tell(name: str, one: Mapping[str, Any]) -> bool:
    """Print a line of the table; whether both goals are met."""
    seconds, memory = error(one, "seconds"), error(one, "memory")
    met = abs(seconds) <= SECONDS and abs(memory) <= MEMORY
    print(
        f"{name:16}{one['from']:>10}{one['seconds']['said']:8.0f}{one['seconds']['took']:8.0f}{seconds:+8.0%}"
        f"{one['memory']['said'] / 1e6:9.0f}{one['memory']['took'] / 1e6:9.0f}{memory:+8.0%}{'' if met else '  MISSED'}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
