"""Run in a fresh process: opens saved models as the studio does, and says what they answer, read and are called."""

import json
import sys
from pathlib import Path

import torch

from studio.inference.predictor import Predictor
from studio.training.saving import answers

torch.set_num_threads(1)
PROBE = "the soup was good 汤"


def said(tuned: Predictor, items: list) -> dict:
    tokenizer = tuned.tokenizer
    return {
        "numbers": answers(tuned.task, tuned.model, items, tokenizer.pad_token_id or 0, tuned.facts),
        "facts": tuned.facts,
        "template": getattr(tokenizer, "chat_template", None),
        "tokens": tokenizer(PROBE)["input_ids"],
        "pad": tokenizer.pad_token_id,
    }


if __name__ == "__main__":
    found = {}
    for place in sorted(Path(sys.argv[1]).iterdir()):
        if (place / "items.json").is_file():
            try:
                found[place.name] = said(Predictor.load(place), json.loads((place / "items.json").read_text()))
            except Exception as error:  # one that does not open must not hide the others
                found[place.name] = {"error": f"{type(error).__name__}: {error}"}
    (Path(sys.argv[1]) / "said.json").write_text(json.dumps(found))
