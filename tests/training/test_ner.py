"""Named entities: their forms, what is wrong with them, scores, simple models, and a run from a file to a download."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile

import pyarrow.parquet as pq
import pytest
from tiny_training import BAD, GOOD, PLAIN, machine, save_encoder, save_rows

from studio.data.importing import import_file
from studio.data.roles import suggest
from studio.data.spans import Entity, read, write
from studio.data.store import DataVersion
from studio.evaluation.gazetteer import Gazetteer
from studio.evaluation.kinds.base import judges
from studio.inference import package
from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run
from studio.workspace import Workspace

TASK, JUDGE = tasks.get("ner"), judges.get("tags")
WU = "王小明在北京大学工作。"
MARKS = [Entity(0, 3, "PER"), Entity(4, 8, "ORG")]


def imported(tmp_path, name: str, text: str) -> DataVersion:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return import_file(Workspace.open(tmp_path / "home"), "local", file, name)


def tagged(count: int, seed: int = 0) -> list[dict[str, str | None]]:
    """Rows whose words say what they are: pairs of good words are praise, single bad ones blame."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        words: list[tuple[str, str]] = [(word, "") for word in dice.choices(PLAIN, k=6)]
        words.insert(dice.randrange(6), (f"{dice.choice(GOOD)} {dice.choice(GOOD)}", "praise"))
        if dice.random() < 0.5:
            words.insert(dice.randrange(6), (dice.choice(BAD), "blame"))
        text, entities = "", []
        for word, kind in words:
            start = len(text) + bool(text)
            text = f"{text} {word}".strip()
            if kind:
                entities.append(Entity(start, len(text), kind))
        rows.append({"text": text, "entities": write(text, entities)})
    return rows


PLACES = "Rome Paris Lima Oslo Cairo Delhi Quito Seoul Tunis Accra".split()
CONLL = "-DOCSTART- -X- O O\n\n" + "".join(
    f"Ana NNP B-NP B-PER\nmet VB B-VP O\nBo NNP B-NP B-PER\n\nin IN B-PP O\n{place} NNP B-NP B-LOC\n\n"
    for place in PLACES
)
TOKENS = "".join(
    json.dumps({"tokens": tokens, "tags": tags}, ensure_ascii=False) + "\n"
    for place in PLACES
    for tokens, tags in [
        (["Ana", "met", "Bo", "in", place], ["S-PER", "O", "S-PER", "O", "S-LOC"]),
        ([*"王小明在", place], ["B-PER", "I-PER", "E-PER", "O", "S-LOC"]),
    ]
)
LINES = [(f"Ana met Bo in {place}", [[0, 3, "PER"], [14, 14 + len(place), "LOC"]]) for place in PLACES]
SPANS = "".join(json.dumps({"text": text, "entities": marks}) + "\n" for text, marks in LINES)
DOCCANO = "".join(
    json.dumps({"id": 7 + number, "text": f"王小明在{place}工作", "label": [[0, 3, "PER"], [4, 4 + len(place), "LOC"]]})
    + "\n"
    for number, place in enumerate(PLACES)
)
STUDIO = json.dumps(
    [
        {
            "id": number,
            "data": {"text": text},
            "annotations": [
                {
                    "result": [
                        {"type": "labels", "value": {"start": a, "end": b, "text": text[a:b], "labels": [kind]}}
                        for a, b, kind in marks
                    ]
                }
            ],
        }
        for number, (text, marks) in enumerate(LINES)
    ]
)


@pytest.mark.parametrize(
    ("name", "text", "truth"),
    [
        ("a.conll", CONLL, [[0, 3, "PER"], [8, 10, "PER"]]),
        ("a.jsonl", TOKENS, [[0, 3, "PER"], [8, 10, "PER"], [14, 18, "LOC"]]),
        ("b.jsonl", SPANS, [[0, 3, "PER"], [14, 18, "LOC"]]),
        ("c.jsonl", DOCCANO, [[0, 3, "PER"], [4, 8, "LOC"]]),
        ("d.json", STUDIO, [[0, 3, "PER"], [14, 18, "LOC"]]),
    ],
)
def test_every_form_becomes_a_text_and_its_entities(tmp_path, name, text, truth):
    version = imported(tmp_path, name, text)
    found = suggest(version)
    assert (found.task, found.sure) == ("ner", True)
    row = pq.read_table(version.rows_path).to_pylist()[0]
    made = {role: row[column] for role, column in found.columns.items()}
    assert TASK.expected(made) == truth


NUMBERS = "".join(
    json.dumps({"tokens": ["Ana", "Li", "met", place], "ner_tags": [1, 2, 0, 3]}) + "\n" for place in PLACES
)


@pytest.mark.parametrize(
    ("name", "text", "code", "count"),
    [
        ("a.conll", CONLL.replace("in IN B-PP O", "in IN B-PP", 1), "data_broken_token", 1),
        ("b.conll", CONLL.replace("B-VP", "O"), "tags_column_guessed", 1),
        ("c.conll", CONLL.replace("B-LOC", "I-LOC"), "tags_repaired", len(PLACES)),
        ("d.jsonl", NUMBERS, "tags_numbers", 2),
    ],
)
def test_what_a_reader_had_to_decide_is_told(tmp_path, name, text, code, count):
    version = imported(tmp_path, name, text)
    problem = {one["code"]: one for one in version.profile()["problems"]}[code]
    assert problem["count"] == count
    assert suggest(version).task == "ner"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"text": "Ana met Bo", "entities": '{"tokens": ["Ana", "met"], "tags": ["B-PER"]}'}, "tags_lengths"),
        ({"text": "Ana met Bo", "entities": '{"tokens": ["Ana", "met"], "tags": ["B-PER", "PER"]}'}, "tags_unknown"),
        ({"text": "Ana met Bo", "entities": '[[0, 99, "PER"]]'}, "spans_outside"),
        ({"text": "Ana met Bo", "entities": "[[0"}, "spans_unreadable"),
        ({"text": "Ana met Bo", "entities": '[{"start": 0, "end": 3, "type": "PER", "text": "Eve"}]'}, "spans_text_differs"),
        ({"text": "Ana met Bo", "entities": '[{"start": 1, "end": 4, "type": "PER", "text": "Ana"}]'}, "spans_moved"),
        ({"text": "Ana met Bo", "entities": '[[0, 3, "PER"], [0, 10, "ALL"]]'}, "spans_overlap"),
        ({"text": "Ana met Bo", "entities": '[[0, 2, "PER"]]'}, "entities_cut"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_row(row, code):
    good = [{"text": "Ana met Bo", "entities": '[[0, 3, "PER"]]'}] * 6
    problem = {found.code: found for found in TASK.problems([*good, row])}[code]
    assert problem.values["row"] == 7
    assert "7" in problem.text("en")
    assert "7" in problem.text("zh")


def test_no_entities_and_rare_types_are_told():
    assert [one.code for one in TASK.problems([{"text": "Ana", "entities": "[]"}])] == ["entities_none"]
    rare = TASK.problems([{"text": "Ana", "entities": '[[0, 3, "PER"]]'}])
    assert [one.code for one in rare] == ["entities_rare"]


def test_scores_are_seqevals():
    answer = [{"entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 4, "end": 6, "type": "ORG"}]}]
    found = JUDGE.score(answer, [[[0, 3, "PER"], [4, 8, "ORG"], [9, 11, "LOC"]]], {})
    assert found["entity_precision"] == pytest.approx(1 / 2)
    assert found["entity_recall"] == pytest.approx(1 / 3)
    assert found["entity_f1"] == pytest.approx(2 / 5)
    assert JUDGE.score([{"entities": []}], [[]], {})["entity_f1"] == 0.0


def test_chinese_words_are_characters_and_windows_agree(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(save_encoder(tmp_path))
    facts = {"types": ["ORG", "PER"], "overlap": 0.25}
    row = {"text": WU, "entities": write(WU, MARKS)}
    whole = TASK.encode([row], tokenizer, facts, 64)
    assert len(whole) == 1
    labels = [label for label in whole[0]["labels"] if label != -100]
    assert labels == [3, 4, 4, 0, 1, 2, 2, 2, 0, 0, 0]
    parts = TASK.encode([row], tokenizer, facts, 10)
    assert len(parts) > 1
    windows = []
    for item in parts:
        places = [place for place, end in enumerate(item["ends"]) if end]
        words = [[item["starts"][place], item["ends"][place], item["labels"][place], 1.0] for place in places]
        windows.append({"words": words})
    found = TASK.combine(windows, row, facts)["entities"]
    assert [(one["text"], one["type"]) for one in found] == [("王小明", "PER"), ("北京大学", "ORG")]


def test_the_dictionary_takes_the_longest_match_and_drops_common_words():
    texts = ["北京大学在北京。", "May came in May", "may I", "may we"]
    truths = [[[0, 4, "ORG"], [5, 7, "LOC"]], [[0, 3, "PER"]], [], []]
    model = Gazetteer.fit(texts, truths)
    assert [(one["text"], one["type"]) for one in model.found("去北京大学，再去北京")] == [
        ("北京大学", "ORG"),
        ("北京", "LOC"),
    ]
    assert model.found("they may go") == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("ner")
    spec = Spec(
        data="d-1",
        columns={"text": "text", "entities": "entities"},
        task="ner",
        model="local:tiny",
        method="full",
        options={"training": {"epochs": 20, "learning_rate": 3e-3, "head_learning_rate": 2e-2, "evaluations": 3}},
    )
    folder, told = place / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    inputs = Inputs(save_rows(place / "data", tagged(160)), save_encoder(place / "model"), machine())
    train_run(folder, spec, inputs, told.append, lambda: None)
    return folder, told


def test_a_bilstm_learns_over_vectors_that_a_frozen_encoder_gave_once(tmp_path, monkeypatch):
    from studio.training import preparing

    asked, kept = [], preparing.frozen_features
    monkeypatch.setattr(preparing, "frozen_features", lambda *parts: asked.append(1) or kept(*parts))
    spec = Spec(
        data="d-1",
        columns={"text": "text", "entities": "entities"},
        task="ner",
        model="local:tiny",
        method="head",
        options={
            "training": {"epochs": 30, "head_learning_rate": 1e-2, "evaluations": 2, "max_length": 16},
            "task": {"head": "bilstm"},
        },
    )
    folder, told = tmp_path / "r-1", []
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    # A model drawn at random, but a recurrence over its vectors can tell the words all the same.
    inputs = Inputs(save_rows(tmp_path / "data", tagged(400)), save_encoder(tmp_path / "model"), machine())
    train_run(folder, spec, inputs, told.append, lambda: None)
    assert len(asked) == 2, "once for the training rows, once for the validation"
    assert json.loads((folder / "model" / "facts.json").read_text("utf-8"))["head"] == "bilstm"
    codes = [getattr(event, "code", "") for event in told]
    assert "timeline.reloaded" in codes
    assert "timeline.head_unplaced" not in codes, "no head of tags is placed beforehand"
    assert json.loads((folder / "report.json").read_text("utf-8"))["test"]["entity_f1"] > 0.6
    mine = Predictor.load(folder).predict(["the soup was good great and a bed was stale " * 3])[0]["entities"]
    assert {"good great", "stale"} <= {one["text"] for one in mine}


def test_from_rows_to_the_report(run):
    folder, told = run
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert told[-1].metric == "entity_f1"
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert list(scores) == ["no_entities", "dictionary", "tuned"]
    assert scores["no_entities"] == 0.0
    assert scores["tuned"] > 0.8
    assert [entry["label"] for entry in report["classes"]] == ["blame", "praise"]
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == report["rows"]
    assert {line["row"] for line in report["mistakes"]} == {line["row"] for line in lines if line["wrong"]}


def test_an_answer_marks_the_text_it_was_asked(run):
    text = "the soup was good great and a bed was stale"
    answer = Predictor.load(run[0]).predict([text, "x", ""])
    assert [(one["text"], one["type"]) for one in answer[0]["entities"]] == [
        ("good great", "praise"),
        ("stale", "blame"),
    ]
    assert read(text, json.dumps(answer[0]["entities"])).sound
    assert answer[2]["entities"] == []


def test_the_download_answers_alike(run, tmp_path):
    list(package.build(run[0], tmp_path / "out.zip", "en", "tuned"))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path)
    text = "the soup was good great and a bed was stale " * 4 + WU
    command = [sys.executable, "-I", str(tmp_path / "model" / "predict.py"), text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mine = Predictor.load(run[0]).predict([text])[0]["entities"]
    assert len(mine) >= 4
    assert json.loads(done.stdout) == [{key: one[key] for key in ("text", "type", "start", "end")} for one in mine]
