"""Does adversarial training help on faulty texts, and what does it cost? With and without, over seeds: a table, JSON.

    python tests/benchmarks/adversarial.py --home DIR [--sets help_desk,hotel_reviews] [--kinds fgm] [--seeds 3]
        [--model starter:minilm] [--preset quick] [--out adversarial.json]

Each seed's run without comes first; the runs with it have the same rows, epochs, lengths and seed, one right after
the other. Scores are those of the report: the clean test rows, and seeded copies of them with typos, changed case,
words left out and words swapped. The cost is the median over a run's steps of rows a second, as a ratio of the pair.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import sets

from studio.evaluation.noise import KINDS as FAULTS

KEPT = ("epochs", "max_length", "batch_size", "learning_rate", "head_learning_rate", "evaluations")
"""Options that the run without decides for those with it: a plan would else take fewer passes to keep its budget."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace for the runs")
    asked.add_argument("--sets", default="help_desk,hotel_reviews")
    asked.add_argument("--kinds", default="fgm")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--model", default="starter:minilm")
    asked.add_argument("--preset", default="quick")
    asked.add_argument("--set", action="append", default=[], help="passed on to every run")
    asked.add_argument("--out", type=Path, default=Path("adversarial.json"))
    given = asked.parse_args()
    place = given.home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in given.sets.split(","):
        make = getattr(sets, name, None) or sets.sample(name)
        common = ["--data", str(make(place)), "--model", given.model, "--preset", given.preset, "--method", "full"]
        common += ["--set", "split.test=0.3", *(word for setting in given.set for word in ("--set", setting))]
        for seed in range(1, given.seeds + 1):
            off = trained(given.home, [*common, "--set", f"seed={seed}"])
            same = [word for option in KEPT for word in ("--set", f"training.{option}={off['options'][option]}")]
            arms = {"off": off}
            for kind in given.kinds.split(","):
                words = [*common, "--set", f"seed={seed}", *same, "--set", f"training.adversarial={kind}"]
                arms[kind] = trained(given.home, words)
            found.setdefault(name, []).append({"seed": seed, **arms})
            given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
        tell(name, found[name])
    return 0


def trained(home: Path, words: list[str]) -> dict[str, Any]:
    """One run through the command line: its scores by fault, its rows a second and its options."""
    command = [sys.executable, "-m", "studio.cli", "train", *words, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=sets.ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    (folder,) = home.glob(f"*/runs/{json.loads(done.stdout)['run']}")
    report = json.loads((folder / "report.json").read_text("utf-8"))
    events = [json.loads(line) for line in (folder / "events-1.jsonl").read_text("utf-8").splitlines() if line]
    faults = {copy["kind"]: copy["tuned"] for copy in report["robustness"]["copies"]}
    return {
        "run": folder.name,
        "rows": report["robustness"]["rows"],
        "scores": {"clean": report["robustness"]["clean"]["tuned"], **faults},
        "rate": statistics.median(event["rate"] for event in events if event["event"] == "step"),
        "options": json.loads((folder / "plan.json").read_text("utf-8"))["options"],
    }


def tell(name: str, pairs: list[dict[str, Any]]) -> None:
    """The set's lines of the table: mean scores, what each kind adds in points (least to most), and its cost."""
    shown = ["clean", *(fault for fault in FAULTS if fault in pairs[0]["off"]["scores"])]
    print(f"\n{name}: {pairs[0]['off']['rows']} test rows, seeds {', '.join(str(pair['seed']) for pair in pairs)}")
    print(f"{'':14}" + "".join(f"{fault:>24}" for fault in shown) + f"{'times as long':>24}")
    for kind in [key for key in pairs[0] if key != "seed"]:
        cells = []
        for fault in shown:
            mean = statistics.mean(pair[kind]["scores"][fault] for pair in pairs)
            moved = [100 * (pair[kind]["scores"][fault] - pair["off"]["scores"][fault]) for pair in pairs]
            cells.append(f"{mean:.3f}" + ("" if kind == "off" else f" {spread(moved, '+.1f')}"))
        cost = spread([pair["off"]["rate"] / pair[kind]["rate"] for pair in pairs], ".2f")
        print(
            f"{kind:14}" + "".join(f"{cell:>24}" for cell in cells) + f"{'' if kind == 'off' else cost:>24}", flush=True
        )


def spread(values: list[float], form: str) -> str:
    """Median (least to most)."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    sys.exit(main())
