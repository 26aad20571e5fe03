"""One bad row in a file of each format: a sentence in both languages that names the row, and the others are kept.

Each goes the whole way: a file, the limited child that reads it, the columns as they are guessed, the check.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from reading_room import bring

from studio.data.checks import check, shares
from studio.data.store import DataVersion
from studio.problem import Problem
from studio.spec import Split

CITIES = "Rome Paris Lima Oslo Cairo Delhi Quito Seoul Tunis Accra".split()
USER, ANSWER = {"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A test."}
SYSTEM = {"role": "system", "content": "Be brief."}


def jsonl(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


GOOD: dict[str, list[dict[str, object]]] = {
    "tokens and tags": [{"tokens": ["Ana", "is", "in", city], "tags": ["B-PER", "O", "O", "B-LOC"]} for city in CITIES],
    "marked parts": [
        {"text": f"安娜住在{city}。", "entities": [[0, 2, "人"], [4, 4 + len(city), "地"]]} for city in CITIES
    ],
    "talks": [{"messages": [{"role": "user", "content": f"Where is {city}?"}, ANSWER]} for city in CITIES],
    "translations": [{"en": f"I live in {city} now.", "zh": f"我现在住在{city}。"} for city in CITIES],
}
TASKS = {
    "tokens and tags": ("ner", {"text": "text", "entities": "entities"}),
    "marked parts": ("ner", {"text": "text", "entities": "entities"}),
    "talks": ("chat", {"messages": "messages"}),
    "translations": ("translation", {"source": "en", "target": "zh"}),
}
BAD: dict[str, dict[str, tuple[dict[str, object], str]]] = {
    "tokens and tags": {
        "a token without a tag": ({"tokens": ["Ana", "Bo"], "tags": ["B-PER"]}, "tags_lengths"),
        "an unknown tag": ({"tokens": ["Ana", "Bo"], "tags": ["B-PER", "PERSON"]}, "tags_unknown"),
    },
    "marked parts": {
        "marks outside the text": ({"text": "安娜。", "entities": [[0, 40, "人"]]}, "spans_outside"),
        "marks of another text": (
            {"text": "安娜!", "entities": [{"start": 0, "end": 2, "label": "人", "text": "波波"}]},
            "spans_text_differs",
        ),
        "marks without an end": ({"text": "安娜?", "entities": [[0]]}, "spans_unreadable"),
    },
    "talks": {
        "an empty answer": ({"messages": [USER, {**ANSWER, "content": " "}]}, "chat_no_answer"),
        "turns that do not take turns": ({"messages": [USER, USER, ANSWER]}, "chat_twice_in_a_row"),
        "a last question left open": ({"messages": [USER, ANSWER, USER]}, "chat_ends_with_question"),
        "two system messages": ({"messages": [SYSTEM, SYSTEM, USER, ANSWER]}, "chat_late_system"),
        "an unknown speaker": ({"messages": [{"role": "wizard", "content": "Hm."}, ANSWER]}, "chat_role_unknown"),
    },
    "translations": {"an empty translation": ({"en": "I live here.", "zh": ""}, "cells_missing")},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Problem]]:
    """What the check says of a file of each format with its bad rows from the seventh on."""
    made = {}
    for form, (task, columns) in TASKS.items():
        bad = [row for row, _ in BAD[form].values()]
        version = bring(tmp_path_factory.mktemp("bad"), "a.jsonl", jsonl([*GOOD[form][:6], *bad, *GOOD[form][6:]]))
        assert version.rows == 10 + len(bad)
        made[form] = check(version, task, columns, Split())
        assert shares(version, task, columns, Split()).usable >= 10
    return made


def names_row(problem: Problem, row: int) -> None:
    """The problem says the number of the row in both languages, with no blank left."""
    assert problem.examples[0][0] == row
    texts = {language: problem.text(language) for language in ("en", "zh")}
    assert f"ow {row} " in texts["en"]
    assert f"第 {row} 行" in texts["zh"]
    assert not any("{" in text for text in texts.values())


@pytest.mark.parametrize(("form", "case"), [(form, case) for form, cases in BAD.items() for case in cases])
def test_a_bad_row_is_named_and_the_others_stay(found: dict[str, list[Problem]], form: str, case: str) -> None:
    code = BAD[form][case][1]
    (problem,) = [one for one in found[form] if one.code == code]
    assert (problem.severity, problem.count) == ("warning", 1)
    names_row(problem, 7 + list(BAD[form]).index(case))


def test_a_line_with_a_column_too_few_costs_its_sentence_alone(tmp_path: Path) -> None:
    sentences = [f"Ana\tB-PER\nlives\tO\nin\tO\n{city}\tB-LOC\n" for city in CITIES * 4]
    sentences[6] = sentences[6].replace("lives\tO", "lives")
    version = bring(tmp_path, "a.conll", "\n".join(sentences))
    assert version.rows == 39
    (problem,) = [one for one in check(version, "ner", {"text": "text", "entities": "entities"}, Split()) if one.code == "data_broken_token"]  # fmt: skip
    for language, said in (("en", "Line 32 "), ("zh", "第 32 行")):
        assert said in problem.text(language)


def split_by_column(tmp_path: Path, labels: Sequence[str]) -> DataVersion:
    """Sixty rows to learn from, ten of the validation and the test each; the last has the last of `labels`."""
    rows = [
        {"text": f"{city} is number {n}", "label": labels[n % (len(labels) - 1)], "part": part}
        for part, count in (("train", 60), ("dev", 10), ("test", 10))
        for n, city in zip(range(count), [f"{part} {city}" for city in CITIES] * 6, strict=False)
    ]
    rows[-1]["label"] = labels[-1]
    rows.insert(0, {"text": "", "label": "good", "part": "train"})  # rows that cannot be used are counted too
    return bring(tmp_path, "a.jsonl", jsonl(rows))


@pytest.mark.parametrize(
    ("task", "columns", "labels"),
    [
        ("classification", {"text": "text", "label": "label"}, ["good", "bad", "odd"]),
        ("multilabel", {"text": "text", "labels": "label"}, ["good;bad", "bad", "good;odd"]),
    ],
)
def test_a_label_in_the_test_only_is_named_with_its_row(tmp_path, task, columns, labels) -> None:
    version = split_by_column(tmp_path, labels)
    asked = Split(how="given", column="part")
    (problem,) = [one for one in check(version, task, columns, asked) if one.code == "split_label_unlearnt"]
    assert (problem.severity, problem.count, problem.values["labels"]) == ("warning", 1, ["odd"])
    names_row(problem, 81)
    assert "odd" in problem.text("zh")
    found = check(version, task, columns, Split())
    assert not [one for one in found if one.code == "split_label_unlearnt"]
