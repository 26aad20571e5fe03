"""The studio's speed beside its peers': paired rounds in fresh processes, medians of ratios, and what was learnt.

    python tests/benchmarks/speed.py --home DIR [--rounds 3] [--only full,head,lora,events,start,predict]
        [--trl PYTHON] [--llamafactory PYTHON] [--rows N] [--out speed.json]

Each measurement is its own process with all cores; the studio and its peers take turns, so a busy neighbour meets
both. full, head, lora: examples per second of the training loop alone, no loading, tokenising or evaluation on either
side. events: the studio's loop with its events and a polled live view, beside the loop in silence. start: seconds from
the click to the first optimizer step in a warm studio, beside those of a fresh Python with Trainer. predict: rows a
second from file to file. Memory is the peak of the whole process, and its goal is not above the peer's. Learnt is
macro-F1, or minus the loss of an answer's token, on rows not trained on; the seed is the round's number. TRL and
LLaMA-Factory are measured where a Python is named that has them; see README.md for how to make one.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sets

HERE = Path(__file__).parent
Found = dict[str, float]


@dataclass(frozen=True)
class Work:
    """What is measured: on how many rows, beside whom and the least ratio that we want."""

    model: str
    rows: int
    epochs: float
    batch: int
    peers: dict[str, float]
    ours: str = "studio"


WORKS = {
    "full": Work(
        "starter-minilm", 3000, 1.0, 16,
        {"trainer padded to 256": 8.0, "trainer dynamic": 3.0, "trainer grouped bf16": 1.0},
    ),
    "head": Work("starter-minilm", 1200, 5.0, 16, {"trainer frozen": 15.0}),
    "lora": Work(
        "starter-smollm2", 320, 1.0, 8, {"trl default": 2.0, "trl no checkpointing": 1.5, "llamafactory bf16": 1.3}
    ),
    "events": Work("starter-minilm", 1200, 1.0, 16, {"studio silent": 0.99}, "studio shown"),
    "start": Work("starter-minilm", 1200, 1.0, 16, {"trainer": 4.0}),
    "predict": Work("starter-minilm", 1000, 1.0, 16, {"pipeline": 4.0}),
}  # fmt: skip
FIRST_STEP = 3.0
"""Most seconds from the click to the first step."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace with the starter models on disk")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--only", default=",".join(WORKS))
    asked.add_argument("--trl", default="", help="a Python that has TRL")
    asked.add_argument("--llamafactory", default="", help="a Python that has LLaMA-Factory")
    asked.add_argument("--rows", type=int, default=0, help="fewer rows, to see whether everything runs")
    asked.add_argument("--out", type=Path, default=Path("speed.json"))
    given = asked.parse_args()
    home = given.home.resolve()
    pythons = {"trl": given.trl, "llamafactory": given.llamafactory}
    found: dict[str, dict[str, list[Found]]] = {}
    missed = 0
    print(
        f"{'work':8}{'beside':24}{'ours':>9}{'theirs':>9}{'ratio':>8}{'min':>7}{'max':>7}{'memory':>8}{'learnt':>16}  goal"
    )
    for name in given.only.split(","):
        work = WORKS[name]
        rows = data(home, name, given.rows or work.rows)
        beside = [who for who in work.peers if pythons.get(who.split()[0], sys.executable)]
        rounds: dict[str, list[Found]] = {who: [] for who in [work.ours, *beside]}
        for seed in range(1, given.rounds + 1):
            for who in rounds:
                python = pythons.get(who.split()[0]) or sys.executable
                words = {"work": name, "who": who, "model": str(home / "models" / work.model), "rows": str(rows)}
                more = {"home": str(home), "epochs": work.epochs, "batch": work.batch, "seed": seed}
                rounds[who].append(run(python, {**words, **more}))
        found[name] = rounds
        missed += sum(not tell(name, who, rounds[work.ours], rounds[who]) for who in beside)
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if missed else 0


def data(home: Path, name: str, count: int) -> Path:
    """The rows of a work: short talks, or reviews again and again until there are enough; and others to be judged on."""
    place = home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    if name == "lora":
        talks = [json.loads(line) for line in sets.chatter(place).read_text(encoding="utf-8").splitlines()]
        every = random.Random(1).sample(talks, count + 100)
        train, test = every[100:], every[:100]
    else:
        with sets.drugs(place).open(encoding="utf-8", newline="") as lines:
            reviews = [(row["review"], row["rating"]) for row in csv.DictReader(lines)]
        random.Random(1).shuffle(reviews)
        test, known = reviews[:200], reviews[200:]
        train = (known * (count // len(known) + 1))[:count]
    file = place / f"speed-{name}.json"
    file.write_text(json.dumps({"train": train, "test": test}), encoding="utf-8")
    return file


def run(python: str, asked: dict[str, Any]) -> Found:
    """One measurement in a process of its own."""
    program = "engine.py" if asked["who"].startswith("studio") else "peers.py"
    start = time.time()
    done = subprocess.run([python, str(HERE / program), json.dumps(asked)], capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{asked['work']}, {asked['who']}: {done.stdout[-500:]} {done.stderr[-3000:]}")
    told: Found = json.loads(lines[-1].removeprefix("RESULT "))
    if asked["work"] == "start" and "first" in told:
        told |= {"rate": 1 / (told["first"] - start), "memory": 0}
    return told


def tell(name: str, who: str, ours: list[Found], theirs: list[Found]) -> bool:
    """Print a line of the table; whether the goals are met."""
    ratios = [a["rate"] / b["rate"] for a, b in zip(ours, theirs, strict=True)]
    middle, goal = statistics.median(ratios), WORKS[name].peers[who]
    met = middle >= goal
    shown = [statistics.median(one["rate"] for one in side) for side in (ours, theirs)]
    if name == "start":
        shown = [1 / rate for rate in shown]
        met = met and shown[0] <= FIRST_STEP
    memory = ""
    if all(one["memory"] for one in [*ours, *theirs]):
        share = statistics.median(a["memory"] / b["memory"] for a, b in zip(ours, theirs, strict=True))
        memory, met = f"{share:.2f}", met and (share <= 1.0 or name == "events")
    learnt = [statistics.mean(one["quality"] for one in side) for side in (ours, theirs) if "quality" in side[0]]
    print(
        f"{name:8}{who:24}{shown[0]:9.2f}{shown[1]:9.2f}{middle:8.2f}{min(ratios):7.2f}{max(ratios):7.2f}{memory:>8}"
        f"{' / '.join(f'{one:.3f}' for one in learnt):>16}  >= {goal}{'' if met else '  MISSED'}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
