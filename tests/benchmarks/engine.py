"""The studio's training engine, timed from its own events: the loop alone, with everything a real run does in it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio import hardware
from studio.events import Event, Phase, Plan, Step
from studio.methods.base import methods
from studio.models.card import read_card
from studio.spec import Spec, Split
from studio.tasks.base import tasks
from studio.training.plan import Case, plan
from studio.training.rows import Inputs
from studio.training.run import train_run
from studio.workspace import Workspace

SPLIT = Split(validation=0.02, test=0.02, seed=1)


class Enough(Exception):
    """The last step is done; what follows is not measured."""


def rate(place: Path, work: str, model: Path, rows: list[Any], epochs: float, batch: int) -> float:
    """Examples per second of one run of `epochs` over nearly all `rows`, with the options of the quick preset."""
    data = place / "data"
    data.mkdir()
    chat = work == "lora"
    columns = {"messages": "messages"} if chat else {"text": "text", "label": "label"}
    pq.write_table(pa.table(_table(rows, chat)), data / "rows.parquet")
    machine = hardware.read_or_probe(Workspace.open(place / "home"))
    given = {"epochs": epochs, "batch_size": batch, "evaluations": 1}
    task, method = tasks.get("chat" if chat else "classification"), methods.get(work)
    lengths = [120] * 100
    made = plan(Case(task, read_card(model, "m"), method, lengths, machine, len(rows)), "quick", given)
    options = {**made.options, "max_length": 384 if chat else 256}
    spec = Spec(
        data="d-speed", columns=columns, task=task.key, model="local:m", method=work, owner="local", name="speed",
        preset="quick", seed=1, split=SPLIT,
        options={"training": options, "task": {}, "method": {"rank": 8} if chat else {}},
    )  # fmt: skip
    clock = _Clock(work == "head")
    run = place / "run"
    run.mkdir()
    try:
        train_run(run, spec, Inputs(data, model, machine), clock, lambda: None)
    except Enough:
        pass
    seen = int(len(rows) * (1 - SPLIT.validation - SPLIT.test) * epochs)
    return seen / (clock.ended - clock.began)


def _table(rows: list[Any], chat: bool) -> dict[str, list[str]]:
    import json

    if chat:
        return {"messages": [json.dumps(row["messages"]) for row in rows]}
    # A row's number keeps repeated texts apart, which would otherwise be told as duplicates.
    texts = [f"{text} {number}" for number, (text, _) in enumerate(rows)]
    return {"text": texts, "label": [label for _, label in rows]}


class _Clock:
    """Listens to a run's events. What a frozen encoder computes before the first step belongs to the training; it
    follows the last word of the tokeniser, so the loading of the model is counted with it."""

    def __init__(self, frozen: bool) -> None:
        self.began = self.ended = 0.0
        self._frozen, self._steps = frozen, 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Plan):
            self._steps = event.steps
        elif isinstance(event, Phase) and not self.began:
            tokenised = event.name == "tokenising" and event.total and event.done == event.total
            if tokenised if self._frozen else event.name == "training":
                self.began = time.monotonic()
        elif isinstance(event, Step) and event.step >= self._steps:
            self.ended = time.monotonic()
            raise Enough
