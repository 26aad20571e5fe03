"""The studio's side of `speed.py`: the training loop timed from its own events, the click, and answering a file.

Run as `python engine.py JSON`; prints one line RESULT, see `peers.py`.
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peers
import pyarrow as pa
import pyarrow.parquet as pq
import sets

sys.path.insert(0, str(sets.ROOT))

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.events import Event, Phase, Plan, Step
from studio.inference.client import InferenceClient
from studio.methods.base import methods
from studio.models.card import read_card
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.runs.journal import Journal
from studio.spec import Spec, Split
from studio.tasks.base import tasks
from studio.training.plan import Case, plan
from studio.training.rows import Inputs
from studio.training.run import train_run
from studio.workspace import Workspace

SPLIT = Split(validation=0.02, test=0.02, seed=1)
USE = Use("classification", {"text": "text", "label": "label"})
POLL = "import sys; sys.path[:0] = sys.argv[3:]; import engine; engine.watch(sys.argv[1], sys.argv[2])"


def main() -> None:
    asked = json.loads(sys.argv[1])
    what = {"events": shown, "start": click, "predict": predict}.get(asked["work"], trained)
    with tempfile.TemporaryDirectory(dir=asked["home"]) as place:
        print("RESULT " + json.dumps(what(asked, Path(place))), flush=True)


def trained(asked: dict[str, Any], place: Path) -> dict[str, Any]:
    """A run to its end; timed is the loop, judged is what the saved model says of rows that it never saw."""
    train, test = peers.read(asked)
    run, clock = place / "run", Clock(asked["work"] == "head")
    run.mkdir()
    train_run(run, *inputs(asked, place, train), clock, lambda: None)
    return {"rate": clock.rate(len(train), asked), "memory": clock.memory, "quality": quality(asked, run, test)}


def quality(asked: dict[str, Any], run: Path, test: list[Any]) -> float:
    from studio.inference.predictor import Predictor

    tuned = Predictor.load(run)
    if asked["work"] == "lora":
        return peers.held_out(tuned.model, tuned.tokenizer, test)
    told = tuned.predict([text for text, _ in test])
    return peers.macro_f1([label for _, label in test], [str(one["label"]) for one in told])


def shown(asked: dict[str, Any], place: Path) -> dict[str, Any]:
    """The loop alone; with its events written down and the live view of a page polled each second where asked."""
    train, _ = peers.read(asked)
    spec, given = inputs(asked, place, train)
    clock = Clock(False, enough=True)
    desk = Desk(Workspace.open(place / "home"))
    run = desk.submit(spec)
    folder = desk.folder(run)
    journal = Journal(folder, 1)
    watching = contextlib.nullcontext() if asked["who"] == "studio silent" else watched(place / "home", run)

    def both(event: Event) -> None:
        if asked["who"] != "studio silent":
            journal.emit(event)
        clock(event)

    with watching, contextlib.suppress(Enough):
        train_run(folder, spec, given, both, lambda: None)
    desk.close()
    return {"rate": clock.rate(len(train), asked), "memory": clock.memory}


@contextlib.contextmanager
def watched(home: Path, run: str) -> Iterator[None]:
    here = [str(Path(__file__).parent), str(sets.ROOT)]
    page = subprocess.Popen([sys.executable, "-c", POLL, str(home), run, *here])
    try:
        yield
    finally:
        page.kill()
        page.wait()


def watch(home: str, run: str) -> None:
    """What the server does for one open page."""
    from studio.web.live import Live

    live, cursor = Live(Desk(Workspace.open(Path(home)))), ""
    while True:
        told = live.since(run, cursor, "en")
        cursor = told["cursor"]
        json.dumps(told)
        time.sleep(1.0)


def click(asked: dict[str, Any], place: Path) -> dict[str, Any]:
    """Wall clock from the click (the form is read, the run drafted and queued) to the first step's event, in a studio
    that has run something before."""
    train, _ = peers.read(asked)
    files = [place / name for name in ("before.csv", "reviews.csv")]
    for file, rows in zip(files, (train[:100], train), strict=True):
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([("text", "label"), *rows])
    workspace = Workspace.open(Path(asked["home"]))
    desk = Desk(workspace)
    desk.supervise()
    try:
        for file in files:
            version = import_file(workspace, "local", file, file.name)
            began = time.time()
            made = draft(workspace, version, use=USE, model=f"local:{asked['model']}", method="full")
            run = desk.submit(made.spec)
            first = first_step(desk, run)
            desk.stop(run)
            while desk.get(run).active:
                time.sleep(0.1)
    finally:
        desk.close()
    return {"rate": 1 / (first - began), "memory": 0}


def first_step(desk: Desk, run: str) -> float:
    while True:
        events, _, _ = desk.events(run, "")
        for event in events:
            if event["event"] == "step":
                return float(event["time"])
        view = desk.get(run)
        if not view.active:
            raise SystemExit(f"{run} ended as {view.state}: {view.error} {view.error_values}")
        time.sleep(0.02)


def predict(asked: dict[str, Any], place: Path) -> dict[str, Any]:
    """A file answered by the inference process, its model loaded; into a CSV file."""
    train, _ = peers.read(asked)
    few = {**asked, "epochs": 0.2}
    spec, given = inputs(few, place, train[:200])
    run = Workspace.open(Path(asked["home"])).run("local", f"r-speed{time.time_ns()}")
    run.mkdir(parents=True)
    train_run(run, spec, given, lambda event: None, lambda: None)
    data = place / "asked.parquet"
    pq.write_table(pa.table({"text": [text for text, _ in train]}), data)
    client = InferenceClient(Workspace.open(Path(asked["home"])))
    client.predict(run, [train[0][0]])
    start = time.monotonic()
    told = list(client.predict_file(run, data, place / "told.csv"))
    seconds = time.monotonic() - start
    assert told[-1].finished
    status = Path(f"/proc/{client.ping()['process']}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    client.unload(run)
    shutil.rmtree(run)
    return {"rate": len(train) / seconds, "memory": most * 1024}


def inputs(asked: dict[str, Any], place: Path, rows: list[Any]) -> tuple[Spec, Inputs]:
    """Nearly all `rows` are learnt, with the options of the quick preset."""
    data = place / "data"
    data.mkdir()
    chat = asked["work"] == "lora"
    columns = {"messages": "messages"} if chat else {"text": "text", "label": "label"}
    pq.write_table(pa.table(_table(rows, chat)), data / "rows.parquet")
    machine = hardware.read_or_probe(Workspace.open(place / "home"))
    given = {"epochs": asked["epochs"], "batch_size": asked["batch"], "evaluations": 1}
    method = {"lora": "lora", "head": "head"}.get(asked["work"], "full")
    task = tasks.get("chat" if chat else "classification")
    model = Path(asked["model"])
    case = Case(task, read_card(model, "m"), methods.get(method), [120] * 100, machine, len(rows))
    training = {**plan(case, "quick", given).options, "max_length": 384 if chat else 256}
    spec = Spec(
        data="d-speed", columns=columns, task=task.key, model="local:m", method=method, owner="local", name="speed",
        preset="quick", seed=asked["seed"], split=SPLIT,
        options={"training": training, "task": {}, "method": {"rank": 8} if chat else {}},
    )  # fmt: skip
    return spec, Inputs(data, model, machine)


def _table(rows: list[Any], chat: bool) -> dict[str, list[str]]:
    if chat:
        return {"messages": [json.dumps(row["messages"]) for row in rows]}
    # A row's number keeps repeated texts apart, which would otherwise be told as duplicates.
    texts = [f"{text} {number}" for number, (text, _) in enumerate(rows)]
    return {"text": texts, "label": [label for _, label in rows]}


class Enough(Exception):
    """The last step is done; what follows is not measured."""


class Clock:
    """Listens to a run's events. What a frozen encoder computes before the first step belongs to the training; it
    follows the last word of the tokeniser, so the loading of the model is counted with it."""

    def __init__(self, frozen: bool, enough: bool = False) -> None:
        self.began = self.ended = 0.0
        self.memory = 0
        self._frozen, self._enough, self._steps = frozen, enough, 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Plan):
            self._steps = event.steps
        elif isinstance(event, Phase) and not self.began:
            tokenised = event.name == "tokenising" and event.total and event.done == event.total
            if tokenised if self._frozen else event.name == "training":
                self.began = time.monotonic()
        elif isinstance(event, Step) and event.step >= self._steps:
            self.ended, self.memory = time.monotonic(), peers.peak()
            if self._enough:
                raise Enough

    def rate(self, rows: int, asked: dict[str, Any]) -> float:
        """Examples per second."""
        return rows * (1 - SPLIT.validation - SPLIT.test) * float(asked["epochs"]) / (self.ended - self.began)


if __name__ == "__main__":
    main()
