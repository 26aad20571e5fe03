"""Does augmentation help? With and without, over seeds, on the same test rows: a table, JSON.

    python tests/benchmarks/augment.py --home DIR [--sets help_desk,hotel_reviews] [--arms mixed,longer] [--seeds 3]
        [--model starter:minilm] [--method full] [--rows 0] [--out augment.json]

An arm is a kind of augmentation (one altered copy of every training row), or `longer`: no copies, but twice the passes,
so that the steps are as many as with them. Each seed's run without comes first; the arms have its rows, lengths, rates
and seed. The interval is that of the difference on all test rows of all seeds together, row by row; a row that several
seeds test counts each time. `--rows` takes so many rows of a set, drawn once: augmentation is meant for few. All runs
are planned, trained and reported in this process, by the code that a worker runs.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import random
import statistics
import sys
from pathlib import Path
from typing import Any

import sets

from studio import hardware
from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.evaluation.intervals import label_difference
from studio.models.fetch import fetch
from studio.runs.draft import draft, use_of
from studio.spec import Split
from studio.training.run import Inputs, train_run
from studio.workspace import Workspace

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
    bench = Bench(Workspace.open(given.home), given.model, given.method)
    place = given.home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in given.sets.split(","):
        make = getattr(sets, name, None) or sets.sample(name)
        file = some(make(place), given.rows) if given.rows else make(place)
        version = import_file(bench.workspace, "local", file, file.name)
        for seed in range(1, given.seeds + 1):
            arms = {"off": bench.trained(version, seed, {})}
            for arm in given.arms.split(","):
                kept = {option: arms["off"]["options"][option] for option in KEPT}
                if arm == "longer":
                    kept["epochs"] *= 2
                else:
                    kept["augment"] = arm
                arms[arm] = bench.trained(version, seed, kept)
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


@dataclasses.dataclass(frozen=True)
class Bench:
    """A workspace, and what is trained in it."""

    workspace: Workspace
    model: str
    method: str

    def trained(self, version: DataVersion, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """One run: its score, its answers, its steps and its options."""
        guess, *_ = use_of(self.workspace, version)
        use = Use(guess.task, guess.columns, Split(0.15, 0.3, seed))
        base = fetch(self.workspace, self.model, lambda *_: None)
        made = draft(
            self.workspace, version, use=use, model=self.model, method=self.method, options={"training": options}
        )
        assert not [one for one in made.problems if one.severity == "error"], made.problems
        folder = self.workspace.home / "bench" / f"{version.version}-{seed}-{abs(hash(str(options)))}"
        folder.mkdir(parents=True)
        told: list[Any] = []
        inputs = Inputs(version.folder, base, hardware.read_or_probe(self.workspace))
        train_run(folder, made.spec, inputs, told.append, lambda: None)
        report = json.loads((folder / "report.json").read_text("utf-8"))
        rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
        return {
            "score": report["test"][METRIC],
            "answers": {str(row["row"]): [row["truth"], row["answer"]] for row in rows},
            "steps": next(event.steps for event in told if type(event).__name__ == "Plan"),
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
