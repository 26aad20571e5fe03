"""The peers of `speed.py`, each in a Python that has it: transformers' Trainer and pipeline, TRL, LLaMA-Factory.

Run as `PYTHON peers.py JSON`; prints one line RESULT with examples per second, the peak bytes of the process, and what
the trained model is worth on rows it never saw. Imports nothing of the studio. Only the training loop is timed.
"""

from __future__ import annotations

import csv
import importlib.machinery
import json
import math
import resource
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LENGTHS = {"lora": 384}
"""Tokens a row is cut at; 256 where nothing else is said."""
LORA_RATE = 2e-4
"""TRL's advice for LoRA; its default is meant for full tuning."""


def main() -> None:
    asked = json.loads(sys.argv[1])
    what = {"lora": answers, "start": labels, "predict": predict}.get(asked["work"], labels)
    print("RESULT " + json.dumps(what(asked)), flush=True)


def peak() -> int:
    """Most resident bytes of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read(asked: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Rows to learn from, and rows to be judged on."""
    rows = json.loads(Path(asked["rows"]).read_text(encoding="utf-8"))
    return rows["train"], rows["test"]


def labels(asked: dict[str, Any]) -> dict[str, Any]:
    """transformers' Trainer with its defaults, and what `who` names changed."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class First(TrainerCallback):  # type: ignore[misc]
        """The wall clock after the first optimizer step."""

        at = 0.0

        def on_step_end(self, *parts: Any, **more: Any) -> None:
            self.at = self.at or time.time()

    who, (train, test) = asked["who"], read(asked)
    torch.manual_seed(asked["seed"])
    tokenizer = AutoTokenizer.from_pretrained(asked["model"])
    names = sorted({label for _, label in train})
    model = AutoModelForSequenceClassification.from_pretrained(asked["model"], num_labels=len(names))
    if asked["work"] == "head":
        for name, part in model.named_parameters():
            part.requires_grad_("classifier" in name)
    padding = {"padding": "max_length", "max_length": 256} if "256" in who else {"max_length": 256}
    made = Dataset.from_dict({"text": [text for text, _ in train], "label": [names.index(label) for _, label in train]})
    made = made.map(lambda batch: tokenizer(batch["text"], truncation=True, **padding), batched=True)
    more = {"bf16": True, "train_sampling_strategy": "group_by_length"} if "grouped" in who else {}
    first = First()
    with tempfile.TemporaryDirectory() as place:
        loop = Trainer(
            model=model,
            args=TrainingArguments(learning_rate=1e-4, **arguments(asked, place), **more),
            train_dataset=made.remove_columns("text"),
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[first],
        )
        if asked["work"] == "start":
            loop.args.max_steps = 1
        told = loop.train().metrics
    found = {"rate": told["train_samples_per_second"], "memory": peak(), "first": first.at}
    if asked["work"] != "start":
        found["quality"] = macro_f1(
            [label for _, label in test], [names[one] for one in judged(model, tokenizer, [text for text, _ in test])]
        )
    return found


def arguments(asked: dict[str, Any], place: str) -> dict[str, Any]:
    """What all Trainers are told."""
    import torch

    return {
        "output_dir": place,
        "per_device_train_batch_size": asked["batch"],
        "num_train_epochs": asked["epochs"],
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": not torch.cuda.is_available(),
        "disable_tqdm": True,
        "seed": asked["seed"],
    }


def judged(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[int]:
    import torch

    model.eval()
    found: list[int] = []
    with torch.inference_mode():
        for begin in range(0, len(texts), 16):
            batch = tokenizer(
                texts[begin : begin + 16], truncation=True, max_length=256, padding=True, return_tensors="pt"
            )
            found += model(**batch.to(model.device)).logits.argmax(-1).tolist()
    return found


def macro_f1(truth: Sequence[str], told: Sequence[str]) -> float:
    """The mean over the labels in `truth` of F1."""
    scores = []
    for label in sorted(set(truth)):
        right = sum(a == b == label for a, b in zip(truth, told, strict=True))
        scores.append(2 * right / max(truth.count(label) + list(told).count(label), 1))
    return sum(scores) / len(scores)


def answers(asked: dict[str, Any]) -> dict[str, Any]:
    """LoRA r=8 on all linear layers, by TRL or LLaMA-Factory."""
    train, test = read(asked)
    if asked["who"].startswith("trl"):
        rate, model = trl(asked, train)
    else:
        rate, model = llamafactory(asked, train)
    found = {"rate": rate, "memory": peak()}
    if model is not None:
        from transformers import AutoTokenizer

        found["quality"] = held_out(model, AutoTokenizer.from_pretrained(asked["model"]), test)
    return found


def trl(asked: dict[str, Any], train: list[Any]) -> tuple[float, Any]:
    """TRL's SFTTrainer with its defaults, and gradient checkpointing off where `who` says so."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(asked["seed"])
    more = {} if "default" in asked["who"] else {"gradient_checkpointing": False}
    with tempfile.TemporaryDirectory() as place:
        loop = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(asked["model"], dtype=torch.float32),
            args=SFTConfig(learning_rate=LORA_RATE, **arguments(asked, place), **more),
            train_dataset=Dataset.from_list(train),
            processing_class=AutoTokenizer.from_pretrained(asked["model"]),
            peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        start = time.monotonic()
        loop.train()
        return len(train) * asked["epochs"] / (time.monotonic() - start), loop.model


def llamafactory(asked: dict[str, Any], train: list[Any]) -> tuple[float, Any]:
    """LLaMA-Factory in bfloat16 with gradient checkpointing off, as its own command would run it."""
    # It imports the sound library whatever it trains; a build that does not fit this torch must not stop texts.
    sound = types.ModuleType("torchaudio")
    sound.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", sound)
    from llamafactory.train.tuner import run_exp
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "talks.json").write_text(json.dumps([{"messages": one["messages"]} for one in train]))
        tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
        tags["system_tag"] = "system"
        about = {"file_name": "talks.json", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
        (place / "dataset_info.json").write_text(json.dumps({"talks": about}))
        run_exp(
            {
                **arguments(asked, str(place / "out")),
                "model_name_or_path": asked["model"],
                "stage": "sft",
                "do_train": True,
                "finetuning_type": "lora",
                "lora_rank": 8,
                "lora_target": "all",
                "dataset": "talks",
                "dataset_dir": str(place),
                "template": "smollm2",
                "cutoff_len": LENGTHS["lora"],
                "bf16": True,
                "disable_gradient_checkpointing": True,
                "learning_rate": LORA_RATE,
                "report_to": "none",
                "overwrite_output_dir": True,
            }
        )
        told = json.loads((place / "out" / "train_results.json").read_text())
        base = AutoModelForCausalLM.from_pretrained(asked["model"])
        return float(told["train_samples_per_second"]), PeftModel.from_pretrained(
            base, place / "out"
        ).merge_and_unload()


def held_out(model: Any, tokenizer: Any, talks: Sequence[Any]) -> float:
    """Minus the mean loss of a token of the last answers, with the tokenizer's own template; in float32."""
    import torch

    model = model.float().eval()
    lost, count = 0.0, 0
    for talk in talks:
        told = [
            tokenizer.apply_chat_template(part, tokenize=False, add_generation_prompt=ask)
            for part, ask in ((talk["messages"][:-1], True), (talk["messages"], False))
        ]
        before, whole = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in told)
        ids = torch.tensor([whole], device=next(model.parameters()).device)
        with torch.inference_mode():
            odds = model(input_ids=ids).logits[0, len(before) - 1 : -1].float().log_softmax(-1)
        lost -= float(odds.gather(1, ids[0, len(before) :, None]).sum())
        count += len(whole) - len(before)
    return -lost / count if math.isfinite(lost) else -math.inf


def predict(asked: dict[str, Any]) -> dict[str, Any]:
    """transformers' pipeline in float32 with its default batching, from a CSV file to a CSV file."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    train, _ = read(asked)
    tokenizer = AutoTokenizer.from_pretrained(asked["model"])
    model = AutoModelForSequenceClassification.from_pretrained(asked["model"], num_labels=3)
    ask = pipeline("text-classification", model=model, tokenizer=tokenizer)
    with tempfile.TemporaryDirectory() as place:
        asking, told = Path(place) / "asked.csv", Path(place) / "told.csv"
        with asking.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([["text"], *([text] for text, _ in train)])
        ask([train[0][0]], truncation=True, max_length=256)
        start = time.monotonic()
        with asking.open(encoding="utf-8", newline="") as lines:
            texts = [row["text"] for row in csv.DictReader(lines)]
        with told.open("w", encoding="utf-8", newline="") as out:
            made = ask(texts, truncation=True, max_length=256)
            csv.writer(out).writerows([text, one["label"], one["score"]] for text, one in zip(texts, made, strict=True))
        return {"rate": len(texts) / (time.monotonic() - start), "memory": peak()}


if __name__ == "__main__":
    main()
