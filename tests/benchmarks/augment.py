"""Does augmentation help? With and without, over seeds, on the same test rows: a table, JSON.

    python tests/benchmarks/augment.py --home DIR [--sets help_desk,hotel_reviews] [--arms mixed,longer] [--seeds 3]
        [--model starter:minilm] [--method full] [--rows 0] [--out augment.json]

An arm is a kind of augmentation (one altered copy of every training row), or `longer`: no copies, but twice the passes,
so that the steps are as many as with them. Each seed's run without comes first; the arms have its rows, lengths, rates
and seed. The interval is that of the difference on all test rows of all seeds together, row by row; a row that several
seeds test counts each time. `--rows` takes so many rows of a set, drawn once: augmentation is meant for few.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import sets

from studio.evaluation.intervals import label_difference

KEPT = ("epochs", "max_length", "batch_size", "learning_rate", "head_learning_rate", "evaluations")
"""Options that the run without decides for the arms: a plan would else take fewer passes to keep its budget."""
METRIC = "macro_f1"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace for the runs")
    asked.add_argument("--sets", default="help_desk,hotel_reviews")
    asked.add_argument("--arms", default="mixed,longer")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--model", default="starter:minilm")
    asked.add_argument("--method", default="full")
    asked.add_argument("--rows", type=int, default=0)
    asked.add_argument("--out", type=Path, default=Path("augment.json"))
    given = asked.parse_args()
    place = given.home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in given.sets.split(","):
        make = getattr(sets, name, None) or sets.sample(name)
        file = some(make(place), given.rows) if given.rows else make(place)
        common = ["--data", str(file), "--model", given.model, "--preset", "quick", "--method", given.method]
        common += ["--set", "split.test=0.3"]
        for seed in range(1, given.seeds + 1):
            arms = {"off": trained(given.home, [*common, "--set", f"seed={seed}"])}
            for arm in given.arms.split(","):
                kept = {f"training.{option}": arms["off"]["options"][option] for option in KEPT}
                if arm == "longer":
                    kept["training.epochs"] *= 2
                else:
                    kept["training.augment"] = arm
                words = [word for option, value in kept.items() for word in ("--set", f"{option}={value}")]
                arms[arm] = trained(given.home, [*common, "--set", f"seed={seed}", *words])
            found.setdefault(name, []).append({"seed": seed, **arms})
            given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
        tell(name, found[name])
    return 0


def some(file: Path, count: int) -> Path:
    """A CSV file of `count` rows of `file`, drawn once."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        head, *rows = csv.reader(lines)
    made = file.with_name(f"{file.stem}-{count}.csv")
    with made.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([head, *random.Random(1).sample(rows, count)])
    return made


def trained(home: Path, words: list[str]) -> dict[str, Any]:
    """One run through the command line: its score, its answers, its steps and its options."""
    command = [sys.executable, "-m", "studio.cli", "train", *words, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=sets.ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    (folder,) = home.glob(f"*/runs/{json.loads(done.stdout)['run']}")
    report = json.loads((folder / "report.json").read_text("utf-8"))
    events = [json.loads(line) for line in (folder / "events-1.jsonl").read_text("utf-8").splitlines() if line]
    lines = (folder / "predictions.jsonl").read_text("utf-8").splitlines()
    answers = {str(row["row"]): [row["truth"], row["answer"]] for row in map(json.loads, lines)}
    return {
        "run": folder.name,
        "score": report["test"][METRIC],
        "answers": answers,
        "steps": next(event["steps"] for event in events if event["event"] == "plan"),
        "options": json.loads((folder / "plan.json").read_text("utf-8"))["options"],
    }


def tell(name: str, pairs: list[dict[str, Any]]) -> None:
    """The set's lines of the table: mean scores, what each arm adds in points by seed, its interval and its steps."""
    print(
        f"\n{name}: {len(pairs[0]['off']['answers'])} test rows, seeds {', '.join(str(pair['seed']) for pair in pairs)}"
    )
    for arm in [key for key in pairs[0] if key != "seed"]:
        told = (
            f"{arm:10} {statistics.mean(pair[arm]['score'] for pair in pairs):.3f}   {pairs[0][arm]['steps']:5d} steps"
        )
        if arm != "off":
            by_seed = [100 * (pair[arm]["score"] - pair["off"]["score"]) for pair in pairs]
            low, value, high = together(pairs, arm)
            told += f"   points {' '.join(f'{one:+.1f}' for one in by_seed)}"
            told += f"   together {value:+.1f} ({low:+.1f} to {high:+.1f})"
        print(told, flush=True)


def together(pairs: list[dict[str, Any]], arm: str) -> tuple[float, float, float]:
    """(low, value, high) in points: the arm's lead over the run without on the test rows of all seeds."""
    truths, mine, yours = [], [], []
    for pair in pairs:
        for row, (truth, answer) in pair["off"]["answers"].items():
            assert pair[arm]["answers"][row][0] == truth, "the arms are tested on the same rows"
            truths.append(truth)
            yours.append(answer)
            mine.append(pair[arm]["answers"][row][1])
    found = label_difference(METRIC, mine, yours, truths, sorted({*truths, *mine, *yours}))
    return 100 * found.low, 100 * found.value, 100 * found.high


if __name__ == "__main__":
    sys.exit(main())
