"""Do earlier rows help where they should? The same run with and without them, over seeds, on data where context decides.

    python tests/benchmarks/context.py --home DIR [--seeds 1] [--talks 150] [--earlier 2] [--set epochs=3]

The data is made of CLINC150's requests of four domains: a request, and a short answer to a question ("yes, please") that
belongs to the same domain. The request can be told by itself, the answer only with it, so half of the rows are chance
for a model that reads single rows. The difference is the report's own: paired by row, with a 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import sets

from studio.evaluation.paired import compared

REPLIES = (
    "yes, please do that", "no, the other one", "as soon as you can", "tomorrow if possible", "what would that cost?",
    "can you tell me more about it", "ok, thanks", "is that the only way?", "let us do it then", "the first one please",
)  # fmt: skip


def talks(place: Path, count: int) -> Path:
    """`count` conversations of two rows, their rows shuffled over the file."""
    chance = random.Random(1)
    told = [
        json.loads(line) for line in (sets.SHARED / "intents_en_clinc_domains.jsonl").read_text("utf-8").splitlines()
    ]
    requests = [row for row in told if row["domain"] != "oos"]
    chance.shuffle(requests)
    rows: list[tuple[str, str, str, int]] = []
    for number, row in enumerate(requests[:count]):
        rows.append((row["utterance"], row["domain"], f"t{number}", 1))
        rows.append((chance.choice(REPLIES), row["domain"], f"t{number}", 2))
    chance.shuffle(rows)
    path = place / f"talks_{count}.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("text", "label", "conversation_id", "turn"), *rows])
    return path


def trained(home: Path, file: Path, words: list[str]) -> dict[str, Any]:
    """Train through the command line; the run's document."""
    command = [sys.executable, "-m", "studio.cli", "train", "--data", str(file), "--model", "starter:minilm"]
    done = subprocess.run(
        [*command, *words, "--home", str(home), "--json"], capture_output=True, text=True, cwd=sets.ROOT, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True)
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--talks", type=int, default=150)
    asked.add_argument("--earlier", type=int, default=2)
    asked.add_argument("--set", action="append", default=[], help="passed on to every run")
    given = asked.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    file = talks(given.home, given.talks)
    for seed in range(1, given.seeds + 1):
        common = [word for setting in (f"seed={seed}", *given.set) for word in ("--set", setting)]
        ours = trained(given.home, file, [*common, "--set", f"context={given.earlier}"])
        theirs = trained(given.home, file, common)
        pair = compared(*(given.home / "local" / "runs" / told["run"] for told in (ours, theirs)))
        if pair is None:
            raise SystemExit("the two runs were not tested on the same rows")
        points = [f"{100 * pair[key]:+.1f}" for key in ("value", "low", "high")]
        print(f"seed {seed}: with {pair['ours']:.3f}, without {pair['theirs']:.3f} on {pair['rows']} rows: "
              f"{points[0]} points ({points[1]} to {points[2]})", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
