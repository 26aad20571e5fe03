"""Questions about texts, from a file to answers that stand alone: windows, no answer, Chinese, downloads."""

from __future__ import annotations

import json
import random
import runpy
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_training import BAD, GOOD, PLAIN, machine, save_encoder, save_rows

from studio.evaluation.kinds.base import judges
from studio.inference import package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run

sys.path.append(str(Path(__file__).parents[1] / "models"))
from tiny_models import encoder_folder  # noqa: E402

TASK, JUDGE, ANSWERER = tasks.get("qa"), judges.get("spans"), answerers.get("spans")
COLUMNS = {"question": "question", "context": "context", "answers": "answers", "start": "answer_start"}


def rows_of(count: int, length: int = 12, none: float = 0.0, seed: int = 0) -> list[dict[str, str | None]]:
    """What was good, or bad: the two words of that kind that stand in a text of other words."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        asked, kind, other = dice.choice([("good", GOOD, BAD), ("bad", BAD, GOOD)])
        words = dice.choices([word for word in PLAIN if word != "room"], k=length)
        words.insert(dice.randrange(length), dice.choice(other))
        answer = "" if dice.random() < none else " ".join(dice.choices(kind, k=2))
        if answer:
            words.insert(dice.randrange(length), answer)
        context = " ".join(words)
        start = str(context.index(answer)) if answer else None
        rows.append({"question": f"was it {asked}", "context": context, "answers": answer or None, "answer_start": start})
    return rows


def train(place: Path, rows: list[dict[str, str | None]], method: str = "full", base: Path | None = None, **options):
    settings = {"epochs": 12, "learning_rate": 2e-3, "head_learning_rate": 5e-3, "evaluations": 3, "max_length": 48}
    spec = Spec("d-1", COLUMNS, "qa", "local:tiny", method, options={"training": {**settings, **options}})
    folder, told = place / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    model = base or save_encoder(place / "model")
    train_run(folder, spec, Inputs(save_rows(place / "data", rows), model, machine()), told.append, lambda: None)
    return folder, told


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    return train(tmp_path_factory.mktemp("answered"), rows_of(300))


def test_from_rows_to_the_report(answered):
    folder, told = answered
    report = json.loads((folder / "report.json").read_text("utf-8"))
    print(report["test"], report["ladder"])
    assert told[-1].metric == "answer_f1"
    assert [rung["key"] for rung in report["ladder"]] == ["sentence", "part", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > max(scores["sentence"], scores["part"]) + 0.2
