"""Answers in the forms people keep them in: nested files, flat ones, places that are wrong, and no answer at all."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from studio.data import answers
from studio.data.checks import check
from studio.data.importing import import_file
from studio.data.roles import columns_for, suggest
from studio.data.store import DataVersion
from studio.spec import Split
from studio.tasks.base import tasks
from studio.workspace import Workspace

TASK = tasks.get("qa")
TEXT = "Ana met Bo in Rome. Later Bo left Rome for Lima."


def imported(tmp_path, name: str, text: str) -> DataVersion:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return import_file(Workspace.open(tmp_path / "home"), "local", file, name)


def squad(entries: list[dict], **more: object) -> str:
    return json.dumps({"version": "1.1", "data": [{"title": "Ana", "paragraphs": entries}], **more}, ensure_ascii=False)


PLACES = "Rome Paris Lima Oslo Cairo Delhi Quito Seoul".split()
LINES = [f"{'Ana' if n % 2 == 0 else 'Anna'} met Bo in {place}, near home." for n, place in enumerate(PLACES)]
PARAGRAPHS = [
    {
        "context": line,
        "qas": [
            {
                "id": place,
                "question": f"Where did Ana meet Bo {n}?",
                "answers": [{"text": place, "answer_start": 14 + n % 2}],
            }
        ],
    }
    for n, (place, line) in enumerate(zip(PLACES, LINES, strict=True))
]
NONE = {"id": "n", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": []}
FLAT = [
    {"question": f"Where {n}?", "context": line, "answer": place, "start": 14 + n % 2}
    for n, (place, line) in enumerate(zip(PLACES, LINES, strict=True))
]
CELLS = [
    {
        "question": row["question"],
        "context": row["context"],
        "answers": {"text": [row["answer"]], "answer_start": [row["start"]]},
    }
    for row in FLAT
]
SCHOOLS = "北京大学 清华大学 复旦大学 南开大学 同济大学 厦门大学 四川大学 兰州大学".split()
ZH = "问题,上下文,答案,起始位置\n" + "".join(
    f"他在哪里读书{n}？,{'王小明'[n % 2 :]}在{s}读书,{s},{4 - n % 2}\n" for n, s in enumerate(SCHOOLS)
)
CSV = "question,context,answer,answer_start\n" + "".join(
    f'{row["question"]},"{row["context"]}",{row["answer"]},{row["start"]}\n' for row in FLAT
)
NUMPY = "question,context,answers\n" + "".join(
    f'{row["question"]},"{row["context"]}",'
    f"\"{{'text': array(['{row['answer']}'], dtype=object), 'answer_start': array([{row['start']}], dtype=int32)}}\"\n"
    for row in FLAT
)
CMRC = json.dumps(
    [
        {
            "context_id": f"TRIAL_{n}",
            "context_text": f"王小明在{school}读书",
            "title": "王小明",
            "qas": [{"query_id": f"T{n}", "query_text": f"他在哪里读书{n}？", "answers": [school, school]}],
        }
        for n, school in enumerate(SCHOOLS)
    ],
    ensure_ascii=False,
)
MRQA = "".join(
    json.dumps(
        {
            "context": row["context"],
            "qas": [
                {
                    "qid": row["answer"],
                    "question": row["question"],
                    "detected_answers": [{"text": row["answer"], "char_spans": [[row["start"], row["start"] + 4]]}],
                }
            ],
        }
    )
    + "\n"
    for row in FLAT
)


@pytest.mark.parametrize(
    ("name", "text", "rows", "truth"),
    [
        ("squad.json", squad(PARAGRAPHS), 8, [["Rome", 14]]),
        ("pretty.json", json.dumps(json.loads(squad(PARAGRAPHS)), indent=2), 8, [["Rome", 14]]),
        ("squad2.json", squad([*PARAGRAPHS, {"context": TEXT, "qas": [NONE]}]), 9, [["Rome", 14]]),
        ("one.json", json.dumps({"title": "Ana", "paragraphs": PARAGRAPHS}), 8, [["Rome", 14]]),
        ("flat.jsonl", "".join(json.dumps(row) + "\n" for row in FLAT), 8, [["Rome", 14]]),
        ("cells.jsonl", "".join(json.dumps(row) + "\n" for row in CELLS), 8, [["Rome", 14]]),
        ("flat.csv", CSV, 8, [["Rome", 14]]),
        ("numpy.csv", NUMPY, 8, [["Rome", 14]]),
        ("zh.csv", ZH, 8, [["北京大学", 4]]),
        ("cmrc.json", CMRC, 8, [["北京大学", 4]]),
        ("mrqa.jsonl", MRQA, 8, [["Rome", 14]]),
    ],
)
def test_every_form_becomes_questions_with_a_text_and_an_answer(tmp_path, name, text, rows, truth):
    version = imported(tmp_path, name, text)
    assert version.rows == rows
    found = suggest(version)
    assert (found.task, found.sure, found.code) == ("qa", True, "data.reason.answer_spans")
    made = [
        {role: row[column] for role, column in found.columns.items()}
        for row in pq.read_table(version.rows_path).to_pylist()
    ]
    assert TASK.expected(made[0]) == truth
    assert [TASK.usable(row) for row in made] == [True] * rows
    if name == "squad2.json":
        assert TASK.expected(made[-1]) == []
        assert TASK.truth(made[-1]) == "-"


def test_an_answer_without_a_place_may_be_written_freely_so_it_is_asked(tmp_path):
    version = imported(tmp_path, "a.csv", CSV.replace("answer_start", "note"))
    found = suggest(version)
    assert not found.sure
    assert "qa" in [option.task for option in found.alternatives]
    assert columns_for(version.profile()["columns"], TASK) == {
        "question": "question",
        "context": "context",
        "answers": "answer",
    }


def test_what_is_no_question_is_left_out_and_named(tmp_path):
    without = {"qas": PARAGRAPHS[0]["qas"]}
    torn = {"context": TEXT, "qas": [{"id": "x", "answers": []}, "what?"]}
    version = imported(tmp_path, "broken.json", squad([*PARAGRAPHS, torn, without, {"context": TEXT}]))
    problem = {one["code"]: one for one in version.profile()["problems"]}["data_broken_question"]
    assert version.rows == 8
    assert problem["count"] == 2 + 1 + 1
    assert problem["examples"][0] == [1, "Ana"]


@pytest.mark.parametrize(
    ("cell", "start", "found", "code"),
    [
        ("Rome", "14", [("Rome", 14)], None),
        ("Rome", "34", [("Rome", 34)], None),
        (" Rome ", "13", [("Rome", 14)], None),
        ("Rome", "33", [("Rome", 34)], "answers_moved"),
        ("Rome", "900", [("Rome", 34)], "answers_moved"),
        ("Rome", "soon", [("Rome", 14)], "answers_several"),
        ("Rome", None, [("Rome", 14)], "answers_several"),
        ("Lima", None, [("Lima", 43)], None),
        ("later  bo", None, [("Later Bo", 20)], None),
        ("me", None, [("me", 4)], "answers_several"),
        ("Paris", "3", [], "answers_absent"),
        ('["Lima", "Paris"]', None, [("Lima", 43), ("Paris", -1)], None),
        ('["Lima", "Rome"]', "[43, 14]", [("Lima", 43), ("Rome", 14)], None),
        ('{"text": ["Lima"], "answer_start": [1, 2]}', None, [], "answers_unreadable"),
        ('{"text": [{"a": 1}], "answer_start": [1]}', None, [], "answers_unreadable"),
        ("[no list", None, [], "answers_unreadable"),
        ('[{"text": "Lima", "answer_start": 43}, {"text": "Lima", "answer_start": 43}]', None, [("Lima", 43)], None),
        ("", None, [], None),
        ('{"text": [], "answer_start": []}', None, [], None),
        ('{"text": [""], "answer_start": [-1]}', None, [], None),
    ],
)
def test_an_answer_is_read_and_found_in_its_text(cell, start, found, code):
    read = answers.read(TEXT, cell, start)
    assert [tuple(one) for one in read.answers] == found
    assert [one for one, _ in read.faults] == ([code] if code else [])
    assert read.sound == (code not in answers.LEFT_OUT)


def test_a_short_answer_is_a_whole_word_where_it_is_one_anywhere():
    assert answers.read("because of us", "us").answers == [("us", 11)]
    assert answers.read("他在北京大学", "北京").answers == [("北京", 2)]
    assert answers.read("because", "us").answers == [("us", 4)]


def test_a_flag_says_that_there_is_no_answer():
    for said in ("true", "True", "1", "是"):
        assert answers.read(TEXT, "Bo", "8", said).answers == []
    assert answers.read(TEXT, "Bo", "8", "false").answers == [("Bo", 8)]


@pytest.mark.parametrize(
    ("row", "code", "row_number"),
    [
        ({"answers": "Bo", "start": "9"}, "answers_moved", 5),
        ({"answers": "Rome"}, "answers_several", 5),
        ({"answers": "Paris"}, "answers_absent", 5),
        ({"answers": '{"text": ["Bo"], "answer_start": [1, 2]}'}, "answers_unreadable", 5),
        ({"answers": None}, "answers_empty", 5),
        ({"answers": ""}, "answers_empty_few", 5),
        ({"answers": "Bo", "start": "8", "question": "why so " * 90}, "question_long", 5),
    ],
)
def test_what_is_wrong_is_named_by_its_row(row, code, row_number):
    good = [{"question": f"Q{n}?", "context": TEXT, "answers": "Bo", "start": "8"} for n in range(4)]
    found = {one.code: one for one in TASK.problems([*good, {**good[0], "start": None, **row}])}
    assert found[code].count == 1
    assert found[code].values["row"] == row_number
    assert found[code].examples[0][0] == row_number
    for language in ("en", "zh"):
        assert "5" in found[code].text(language)


def test_without_any_answer_nothing_can_be_learnt():
    rows = [{"question": "Q?", "context": TEXT, "answers": None}] * 3
    assert [(one.code, one.severity) for one in TASK.problems(rows)] == [("answers_none", "error")]


def test_empty_answers_of_a_file_are_no_gaps_and_long_texts_are_not_cut(tmp_path):
    lines = CSV + "".join(f'Why {n}?,"{TEXT * 80} {n}",,\n' for n in range(30))
    version = imported(tmp_path, "a.csv", lines)
    found = suggest(version)
    codes = {one.code for one in check(version, "qa", found.columns, Split())}
    assert "answers_empty" in codes
    assert not codes & {"cells_missing", "rows_long", "rows_long_parts", "answers_empty_few"}
