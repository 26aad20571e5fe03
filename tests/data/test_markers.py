"""Words that mark each label: the planted ones, in English and Chinese, and none by chance."""

from __future__ import annotations

import json
import random
from pathlib import Path

from reading_room import bring

from studio.data import markers as room
from studio.data.charted import label_words
from studio.data.markers import markers, words_in
from studio.data.queries import label_words as asked
from studio.data.samples import import_sample
from studio.workspace import Workspace

COLUMNS = {"text": "text", "label": "label"}


def test_planted_words_are_found_and_common_ones_are_not():
    chance = random.Random(3)
    filler = "the a of to and it is was for with".split()
    rows = []
    for number in range(400):
        label, own = ("kitchen", "kettle steam") if number % 2 else ("clothes", "scarf wool")
        words = chance.choices(filler, k=12) + (own.split() if chance.random() < 0.6 else [])
        rows.append((" ".join(chance.sample(words, len(words))), [label]))
    found = dict(markers(rows))
    assert {one.word for one in found["kitchen"]} == {"kettle", "steam"}
    assert {one.word for one in found["clothes"]} == {"scarf", "wool"}
    first = found["kitchen"][0]
    assert first.others == 0
    assert 90 < first.rows < 150
    assert first.z > 1.96


def test_chance_marks_nothing():
    chance = random.Random(5)
    words = [f"word{n}" for n in range(40)]
    rows = [(" ".join(chance.choices(words, k=10)), [chance.choice("ab")]) for _ in range(600)]
    marked = [one for _, marking in markers(rows) for one in marking]
    assert len(marked) <= 4, "five of a hundred would be chance, and the prior pulls them in"
    assert markers([("one text", ["a"]), ("two texts", ["a"])]) == []
    assert not any(marking for _, marking in markers([("kettle", ["a"]), ("kettle", ["b"])] * 20))
    assert markers([]) == []


def test_a_word_counts_once_a_row():
    rows = [("spam " * 500, ["a"])] + [(f"plain row {n}", ["ab"[n % 2]]) for n in range(60)]
    assert all(one.word != "spam" for _, marking in markers(rows) for one in marking)


def test_chinese_is_cut_into_words():
    assert words_in("味道很好，Great Tea！") == {"味道", "很", "好", "great", "tea"} - {
        "很",
        "好",
    } or "味道" in words_in("味道很好")
    rows = [("外卖送得太慢", ["差评"]), ("味道不错，下次还来", ["好评"])] * 30
    found = dict(markers(rows))
    assert {"外卖"} <= {one.word for one in found["差评"]}
    assert {"味道"} <= {one.word for one in found["好评"]}


def test_there_is_no_end_of_rare_words(monkeypatch):
    monkeypatch.setattr(room, "_MOST_WORDS", 300)
    rows = [(f"kettle {'abcdefghij'[n % 10]}{n}x once{n}", ["kitchen"]) for n in range(500)] + [(f"scarf other{n}", ["clothes"]) for n in range(500)]  # fmt: skip
    found = dict(markers(rows))
    assert found["kitchen"][0].word == "kettle"
    assert found["clothes"][0].word == "scarf"


def test_a_version_answers_and_a_large_one_by_a_sample(tmp_path: Path, monkeypatch):
    version = bring(tmp_path, "a.csv", "text,label\n" + "".join(f"{'kettle steam' if n % 2 else 'scarf wool'} {n},{'ab'[n % 2]}\n" for n in range(300)))  # fmt: skip
    found = dict(label_words(version, "classification", COLUMNS))
    assert {one.word for one in found["b"]} == {"kettle", "steam"}
    assert asked(version, "classification", COLUMNS)[0][1][0] == next(iter(found.values()))[0]
    monkeypatch.setattr("studio.data.charted.LOOKED_AT", 100)
    (few,) = {one.rows for one in dict(label_words(bring(tmp_path, "b.csv", "text,label\n" + "".join(f"{'kettle' if n % 2 else 'scarf'} {n},{'ab'[n % 2]}\n" for n in range(300))), "classification", COLUMNS))["b"]}  # fmt: skip
    assert few == 50


def test_several_labels_a_row_are_marked_each(tmp_path: Path):
    rows = [{"text": f"{'kettle' if n % 2 else 'plain'} {'scarf' if n % 3 else 'other'} {n}", "labels": [*(["kitchen"] if n % 2 else []), *(["clothes"] if n % 3 else [])]} for n in range(120)]  # fmt: skip
    version = bring(tmp_path, "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = dict(label_words(version, "multilabel", {"text": "text", "labels": "labels"}))
    assert found["kitchen"][0].word == "kettle"
    assert found["clothes"][0].word == "scarf"


def test_a_sample_reads_as_people_expect(tmp_path: Path):
    version = import_sample(Workspace.open(tmp_path / "home"), "local", "help_desk")
    found = dict(label_words(version, "classification", {"text": "message", "label": "team"}))
    assert len(found) == 8
    assert {"password", "login", "email"} & {one.word for one in found["account"]}
