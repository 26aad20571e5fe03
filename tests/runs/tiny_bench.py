"""A workspace with tiny reviews and a tiny encoder, whose runs are made in this process, one after the other."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from studio import hardware
from studio.data.importing import import_file
from studio.events import Done
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.draft import Draft
from studio.runs.worker import train
from studio.spec import Spec
from studio.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "training"))
TRAINING = {"epochs": 2, "evaluations": 1, "max_length": 32, "learning_rate": 5e-3}


class Bench:
    """`mask` says whether the encoder's tokenizer has a token that hides others."""

    def __init__(self, home: Path, mask: bool = False) -> None:
        from tiny_training import machine, reviews, save_encoder

        self.workspace = Workspace.open(home / "home")
        known = machine(fingerprint=hardware.fingerprint())
        (self.workspace.home / "hardware.json").write_text(json.dumps(known.to_json()))
        self.desk = Desk(self.workspace)
        self.model = f"local:{save_encoder(home / 'encoder', mask=mask)}"
        (home / "encoder" / "card.json").write_text(json.dumps({"licence": "mit", "languages": ["en"]}))
        with (home / "reviews.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(reviews(120))
        self.version = import_file(self.workspace, "local", home / "reviews.csv", "reviews.csv")

    def submit(self, made: Draft) -> tuple[str, Spec]:
        """The run's id and its spec; nobody has begun it."""
        assert not [problem for problem in made.problems if problem.severity == "error"]
        return self.desk.submit(made.spec, data_name="reviews.csv"), made.spec

    def made(self, draft: Draft) -> tuple[str, list[Any]]:
        """The run's id and what it told, from its beginning to its end."""
        run, spec = self.submit(draft)
        told: list[Any] = []
        train(self.desk.folder(run), spec, told.append, lambda: None)
        assert isinstance(told[-1], Done)
        assert self.desk.store.move(self.desk.store.last_job(run), states.STOPPED)  # nobody supervises here
        return run, told
