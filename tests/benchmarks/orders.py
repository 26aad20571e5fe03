"""Whether a tuned chat model answers visibly better: ten held-out prompts of the order sample, base and tuned.

    python tests/benchmarks/orders.py --home DIR [--preset quick] [--seed 1] [--out orders.json]

Trains through the command line, then asks both sides through the inference process, greedily. An answer counts as
well-formed when it is JSON with the sample's keys, and each field is compared with the true order.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import sets

sys.path.insert(0, str(sets.ROOT))

from studio.inference.client import InferenceClient  # noqa: E402
from studio.runs.desk import Desk  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

PROMPTS = 10
KEYS = ("customer", "items", "deliver_by", "notes")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True)
    asked.add_argument("--preset", default="quick")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--run", help="a finished run of the sample, instead of training one")
    asked.add_argument("--out", type=Path, default=Path("orders.json"))
    given = asked.parse_args()
    run = given.run or train(given.home, given.preset, given.seed)
    with_desk = Desk(Workspace.open(given.home))
    try:
        rows = held_out(with_desk.folder(run))
        client = InferenceClient(with_desk.workspace, start=with_desk.start_inference)
        found = [ask(client, with_desk.folder(run), row) for row in rows]
    finally:
        with_desk.close()
    print(f"{'side':8}{'well-formed':>12}{'customer':>10}{'items':>8}{'day':>6}{'notes':>7}   of {len(found)} prompts")
    for side in ("base", "tuned"):
        marks = [judge(one[side], one["truth"]) for one in found]
        print(f"{side:8}{sum(m['json'] for m in marks):>12}", end="")
        print("".join(f"{sum(m[key] for m in marks):>{w}}" for key, w in zip(KEYS, (10, 8, 6, 7), strict=True)))
    given.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return 0 if sum(judge(one["tuned"], one["truth"])["json"] for one in found) >= 9 else 1


def train(home: Path, preset: str, seed: int) -> str:
    file = sets.sample("email_orders")(home)
    command = [sys.executable, "-m", "studio.cli", "train", "--data", str(file), "--preset", preset, "--json"]
    done = subprocess.run(
        [*command, "--set", f"seed={seed}", "--home", str(home)], capture_output=True, text=True, cwd=sets.ROOT
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return str(json.loads(done.stdout)["run"])


def held_out(folder: Path) -> list[dict[str, Any]]:
    """Ten rows of the test split, which the run never trained on, as message lists."""
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines][:PROMPTS]


def ask(client: InferenceClient, folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    said = {"base": "", "tuned": ""}
    for bit in client.chat(folder, [{"role": "user", "content": row["text"]}], sides=("tuned", "base")):
        if bit.side:
            said[bit.side] += bit.text
    return {"prompt": row["text"], "truth": row["truth"], **said}


def judge(answer: str, truth: str) -> dict[str, bool]:
    true = json.loads(truth)
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    whole = isinstance(said, dict) and set(said) == set(true)
    return {"json": whole, **{key: whole and said[key] == true[key] for key in KEYS}}


if __name__ == "__main__":
    sys.exit(main())
