"""Training speed beside the peers: paired rounds in fresh processes, medians of ratios.

    python tests/benchmarks/speed.py --home DIR [--rounds 3] [--only full,head,lora] [--trl PYTHON] [--out speed.json]

Each measurement is its own process with all cores; the studio and its peers take turns, so a busy neighbour meets
both. Examples per second are counted over the training loop alone: no loading, tokenising or evaluation, on either
side. Peak memory is the whole process's. TRL is measured where `--trl` names a Python that has it installed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import sets

sys.path.insert(0, str(sets.ROOT))
MODELS = {"full": "starter-minilm", "head": "starter-minilm", "lora": "starter-smollm2"}
ROWS = {"full": 1200, "head": 1200, "lora": 320}
EPOCHS = {"full": 1.0, "head": 5.0, "lora": 1.0}
BATCH = {"full": 16, "head": 16, "lora": 8}
PEERS = {
    "full": {"trainer padded to 256": 8.0, "trainer dynamic": 3.0, "trainer grouped bf16": 1.0},
    "head": {"trainer frozen": 15.0},
    "lora": {"trl default": 2.0, "trl no checkpointing": 1.5},
}
"""By work: what it is measured beside, and the least ratio of examples per second we want."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--home", type=Path, required=True, help="a workspace with the starter models on disk")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--only", default=",".join(PEERS))
    asked.add_argument("--trl", default="")
    asked.add_argument("--out", type=Path, default=Path("speed.json"))
    asked.add_argument("--one", nargs=2, metavar=("WORK", "WHO"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.one:
        print("RESULT " + json.dumps(measure(*given.one, given.home)))
        return 0
    data(given.home)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    missed = 0
    print(f"{'work':6}{'beside':26}{'ours/s':>8}{'peer/s':>8}{'ratio':>8}{'min':>7}{'max':>7}{'memory':>8}  goal")
    for work in given.only.split(","):
        peers = [who for who in PEERS[work] if given.trl or not who.startswith("trl")]
        rounds: dict[str, list[dict[str, float]]] = {who: [] for who in ["studio", *peers]}
        for _ in range(given.rounds):
            for who in rounds:
                python = given.trl if who.startswith("trl") else sys.executable
                rounds[who].append(run(python, work, who, given.home))
        found[work] = rounds
        missed += sum(not tell(work, who, rounds) for who in peers)
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if missed else 0


def run(python: str, work: str, who: str, home: Path) -> dict[str, float]:
    command = [python, __file__, "--home", str(home), "--one", work, who]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{work}, {who}: {done.stderr[-3000:]}")
    told: dict[str, float] = json.loads(lines[-1].removeprefix("RESULT "))
    return told


def tell(work: str, who: str, rounds: dict[str, list[dict[str, float]]]) -> bool:
    ours, theirs = rounds["studio"], rounds[who]
    ratios = [a["rate"] / b["rate"] for a, b in zip(ours, theirs, strict=True)]
    memory = statistics.median(a["memory"] / b["memory"] for a, b in zip(ours, theirs, strict=True))
    middle, goal = statistics.median(ratios), PEERS[work][who]
    rates = [statistics.median(one["rate"] for one in side) for side in (ours, theirs)]
    print(
        f"{work:6}{who:26}{rates[0]:8.1f}{rates[1]:8.1f}{middle:8.2f}{min(ratios):7.2f}{max(ratios):7.2f}"
        f"{memory:8.2f}  >= {goal}{'' if middle >= goal else '  MISSED'}",
        flush=True,
    )
    return middle >= goal


def data(home: Path) -> None:
    """The rows of all works: reviews again and again until there are enough, and short talks."""
    place = home / "sets"
    place.mkdir(parents=True, exist_ok=True)
    with sets.drugs(place).open(encoding="utf-8", newline="") as lines:
        reviews = [(row["review"], row["rating"]) for row in csv.DictReader(lines)]
    (place / "speed-reviews.json").write_text(json.dumps((reviews * 4)[: ROWS["full"]]))
    lines = sets.chatter(place).read_text(encoding="utf-8").splitlines()
    talks = [json.loads(line) for line in random.Random(1).sample(lines, ROWS["lora"])]
    (place / "speed-talks.json").write_text(json.dumps(talks))


def measure(work: str, who: str, home: Path) -> dict[str, float]:
    """Examples per second and peak bytes of this process."""
    folder = home / "models" / MODELS[work]
    name = "speed-talks.json" if work == "lora" else "speed-reviews.json"
    rows = json.loads((home / "sets" / name).read_text())
    if who == "studio":
        rate = studio(work, folder, rows, home)
    elif who.startswith("trl"):
        rate = trl(folder, rows, checkpointing=who == "trl default")
    else:
        rate = trainer(work, who, folder, rows)
    return {"rate": rate, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def studio(work: str, folder: Path, rows: list[Any], home: Path) -> float:
    """The studio's engine through its Python entry, with the options its quick plan chooses."""
    import tempfile

    import engine

    with tempfile.TemporaryDirectory(dir=home) as place:
        return engine.rate(Path(place), work, folder, rows, EPOCHS[work], BATCH[work])


def trainer(work: str, who: str, folder: Path, rows: list[Any]) -> float:
    """transformers' Trainer with its defaults, and what `who` names changed."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels = sorted({label for _, label in rows})
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    if work == "head":
        for name, part in model.named_parameters():
            part.requires_grad_("classifier" in name)
    padding = {"padding": "max_length", "max_length": 256} if "256" in who else {"max_length": 256}
    made = Dataset.from_dict({"text": [text for text, _ in rows], "label": [labels.index(label) for _, label in rows]})
    made = made.map(lambda batch: tokenizer(batch["text"], truncation=True, **padding), batched=True)
    more = {"bf16": True, "train_sampling_strategy": "group_by_length"} if "grouped" in who else {}
    settings = TrainingArguments(
        output_dir="/tmp/unused",
        per_device_train_batch_size=BATCH[work],
        num_train_epochs=EPOCHS[work],
        learning_rate=1e-4,
        save_strategy="no",
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True,
        **more,
    )
    loop = Trainer(
        model=model, args=settings, train_dataset=made.remove_columns("text"),
        data_collator=DataCollatorWithPadding(tokenizer),
    )  # fmt: skip
    return float(loop.train().metrics["train_samples_per_second"])


def trl(folder: Path, rows: list[Any], checkpointing: bool) -> float:
    """TRL's SFTTrainer with LoRA r=8 on the attention's and the feed-forward's matrices."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    settings = SFTConfig(
        output_dir="/tmp/unused",
        per_device_train_batch_size=BATCH["lora"],
        num_train_epochs=EPOCHS["lora"],
        save_strategy="no",
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        disable_tqdm=True,
        **({} if checkpointing else {"gradient_checkpointing": False}),
    )
    loop = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    start = time.monotonic()
    loop.train()
    return len(rows) * EPOCHS["lora"] / (time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
