"""From a file through the command line to a download, asked by a Python that has torch and transformers alone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bare import asked, bare_python

from studio.inference.client import InferenceClient
from studio.inference.settings import ChatSettings
from studio.runs import process
from studio.runs.files import read_json
from studio.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "training"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TEXTS = ["the soup was awful and cold", "a lovely fresh warm room", "we had a bed " * 40 + "it was great"]
quantising = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (extra: quant)"
)


class Case(NamedTuple):
    """One way to a download. `gap`: how far a probability may be from the studio's."""

    task: str
    method: str
    head: str = ""
    gap: float = 1e-4

    @property
    def name(self) -> str:
        return "-".join(part for part in self[:3] if part)


CASES = [
    pytest.param(Case("classification", "qlora"), marks=quantising),
    pytest.param(Case("classification", "qlora8", gap=0.05), marks=quantising),
    Case("ner", "lora", "bilstm"),
    Case("qa", "lora", "mlp"),
    pytest.param(Case("regression", "qlora", "cnn"), marks=quantising),
    pytest.param(Case("chat", "qlora"), marks=quantising),
]


def rows(task: str) -> list[dict[str, Any]]:
    """Rows in a form that the studio reads without being told what the columns are."""
    from tiny_questions import rows_of
    from tiny_training import BAD, GOOD, PLAIN, reviews

    made, dice = reviews(120), random.Random(3)
    if task == "regression":
        return [
            {"text": row["text"], "score": (4 if row["label"] == "positive" else 1) + dice.random()} for row in made
        ]
    if task == "ner":
        found = []
        for _ in range(120):
            words, entities, text = dice.choices(PLAIN, k=8), [], ""
            words[dice.randrange(8)] = dice.choice(GOOD + BAD)
            for word in words:
                if word in GOOD + BAD:
                    entities.append([len(text), len(text) + len(word), "GOOD" if word in GOOD else "BAD"])
                text += f"{word} "
            found.append({"text": text.strip(), "entities": entities})
        return found
    if task == "qa":
        return [{**row, "answer_start": int(str(row["answer_start"]))} for row in rows_of(120)]
    if task == "chat":
        said = [("user", "content"), ("assistant", "label")]
        talks = [{"content": row["text"], "label": row["label"]} for row in made]
        return [{"messages": [{"role": role, "content": talk[key]} for role, key in said]} for talk in talks]
    return list(made)


class Place:
    """A workspace with its models, and the command line on it."""

    def __init__(self, place: Path) -> None:
        from tiny_questions import encoder
        from tiny_training import machine, save_chat

        self.place, self.home = place, place / "home"
        self.workspace = Workspace.open(self.home)
        (self.home / "hardware.json").write_text(json.dumps(machine().to_json()))
        (place / "models").mkdir()
        self.encoder, self.writer = encoder(place / "models/encoder"), save_chat(place / "models/writer")
        self.python = bare_python(place / "bare")

    def studio(self, *words: str) -> Any:
        """The document that a command prints."""
        env = {**os.environ, "STUDIO_MODEL_ROOTS": str(self.place / "models"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "studio.cli", *words, "--home", str(self.home), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def train(self, case: Case) -> str:
        file = self.place / f"{case.task}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows(case.task)), "utf-8")
        model = self.writer if case.task == "chat" else self.encoder
        settings = ["epochs=3", "learning_rate=0.01", "evaluations=1", "batch_size=8"]
        settings += [f"head={case.head}"] if case.head else []
        words = ["train", "--data", str(file), "--task", case.task, "--model", f"local:{model}"]
        words += ["--method", case.method, *(word for setting in settings for word in ("--set", setting))]
        return str(self.studio(*words)["run"])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("downloads"))
    yield made
    for name in ("inference", "keeper"):
        if served := read_json(made.home / "servers" / name / "process.json"):
            process.end_family(served)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_download_answers_as_the_studio_does(place, case):
    run = place.workspace.run("local", place.train(case))
    client = InferenceClient(place.workspace)
    folder = place.place / case.name
    assert list(dict.fromkeys(client.package(run, folder.with_suffix(".zip"))))[-1] == "packing"
    with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
        archive.extractall(folder)
    names = {path.name for path in (folder / "model").iterdir()}
    assert {"predict.py", "config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {name for name in names if "adapter" in name}
    assert "quantization_config" not in (folder / "model/config.json").read_text("utf-8")
    card = (folder / "model/README.md").read_text("utf-8")
    assert ("rounded numbers (method: qlora8)" in card) == (case.method == "qlora8")
    check = {"qa": questions, "chat": talks}.get(case.task, texts)
    check(case, client, run, lambda questions: asked(place.python, folder / "model", questions))


def texts(case, client, run, ask):
    studio = client.predict(run, TEXTS).predictions
    for mine, theirs in zip(studio, ask([(text,) for text in TEXTS]), strict=True):
        if case.task == "classification":
            assert theirs == pytest.approx(mine["scores"], abs=case.gap)
        elif case.task == "ner":
            marks = [(one["start"], one["end"], one["type"]) for one in theirs]
            assert marks == [(one["start"], one["end"], one["type"]) for one in mine["entities"]]
        else:
            assert theirs == pytest.approx(mine["score"], abs=case.gap)


def questions(case, client, run, ask):
    studio = client.predict(run, [{"question": "was it good", "context": text} for text in TEXTS]).predictions
    for text, mine, theirs in zip(TEXTS, studio, ask([("was it good", text) for text in TEXTS]), strict=True):
        # In the text that says the same again and again, the places of one answer are equally likely.
        assert text[theirs["start"] : theirs["end"]] == text[mine["start"] : mine["end"]]
        assert theirs["score"] == pytest.approx(mine["score"], abs=case.gap)


def talks(case, client, run, ask):
    said = [[{"role": "user", "content": text[:60]}] for text in TEXTS]
    settings = ChatSettings(max_new_tokens=16)
    studio = ["".join(bit.text for bit in client.chat(run, talk, settings)) for talk in said]
    assert ask([(talk, 16) for talk in said]) == studio
