"""All problems at once, with counts and the numbers of example rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading_room import bring
from spoken import check_problem

from studio.data import charted, checks, store
from studio.data.charted import label_counts, length_histogram
from studio.data.checks import check, shares
from studio.data.labels import label_problems
from studio.data.store import DataVersion
from studio.problem import Problem
from studio.spec import Spec, Split
from studio.tasks.base import tasks
from studio.training.rows import read_table

COLUMNS = {"text": "text", "label": "label"}


def csv_of(rows: list[tuple[str, str]]) -> str:
    return "text,label\n" + "".join(f'"{text}","{label}"\n' for text, label in rows)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> DataVersion:
    rows = [(f"a sentence about thing {n}", "good" if n % 3 else "bad") for n in range(120)]
    rows[4] = ("", "good")
    rows[6] = ("no label here", "")
    rows[9] = (rows[8][0].upper() + "  ", rows[8][1])
    rows[20] = (rows[21][0], "bad" if rows[21][1] == "good" else "good")
    rows[30] = ("spelt otherwise", "Good ")
    rows[31] = ("slipped", "goood")
    rows[40] = ("long words " * 400, "good")
    return bring(tmp_path_factory.mktemp("messy"), "messy.csv", csv_of(rows) + "one cell too few\n")


def by_code(problems: list[Problem]) -> dict[str, Problem]:
    for problem in problems:
        for language in ("en", "zh"):
            assert "{" not in problem.text(language)
    assert len({(problem.code, problem.field) for problem in problems}) == len(problems)
    return {f"{problem.code}:{problem.field}".removesuffix(":data"): problem for problem in problems}


def test_everything_is_told_at_once(messy: DataVersion) -> None:
    found = by_code(check(messy, "classification", COLUMNS, Split()))
    assert found["cells_missing:columns.text"].examples[0][0] == 5
    assert found["cells_missing:columns.label"].examples == ((7, "no label here"),)
    assert found["rows_repeated"].count == 2
    assert found["rows_contradict:columns.label"].examples[0][0] == 21
    assert found["rows_long_parts"].examples[0][0] == 41
    assert "'Good ' = 'good'" in found["labels_spelling:columns.label"].text()
    assert "'goood' = 'good'" in found["labels_spelling:columns.label"].text()
    assert found["labels_rare:columns.label"].count == 2
    assert found["labels_uneven:columns.label"].values["most"] == "good"
    assert found["data_broken_short"].examples[0][0] == 122
    assert "split_few_test:split" in found
    assert check(messy, "classification", COLUMNS, Split()) == list(found.values())


def test_clean_data_has_no_problem(tmp_path: Path) -> None:
    rows = [(f"sentence {n} about thing {n * n}", "ab"[n % 2]) for n in range(400)]
    assert check(bring(tmp_path, "a.csv", csv_of(rows)), "classification", COLUMNS, Split()) == []


@pytest.mark.parametrize(
    ("task", "columns", "code"),
    [
        ("classification", {"text": "text"}, "role_missing"),
        ("classification", {"text": "text", "label": ""}, "role_missing"),
        ("classification", {"text": "text", "label": "text"}, "column_twice"),
        ("classification", {"text": "text", "label": "nothing"}, "column_unknown"),
        ("chat", {}, "chat_columns_missing"),
        ("chat", {"instruction": "text"}, "chat_columns_missing"),
        ("chat", {"messages": "text", "output": "label"}, "chat_columns_both"),
    ],
)
def test_wrong_columns_are_errors(messy: DataVersion, task: str, columns: dict[str, str], code: str) -> None:
    found = check(messy, task, columns, Split())
    assert (found[0].code, found[0].severity) == (code, "error")
    by_code(found)


def test_one_class_only(tmp_path: Path) -> None:
    version = bring(tmp_path, "a.csv", csv_of([(f"words {n}", "complaint") for n in range(60)]))
    found = check(version, "classification", COLUMNS, Split())
    assert (found[0].code, found[0].severity) == ("labels_one", "error")
    assert "complaint" in found[0].text()


def test_few_rows_and_impossible_shares(messy: DataVersion, tmp_path: Path) -> None:
    small = bring(tmp_path, "a.csv", csv_of([("one thing", "a"), ("other thing", "b")]))
    found = by_code(check(small, "classification", COLUMNS, Split()))
    assert found["rows_few"].severity == "warning"
    assert found["split_empty:split"].severity == "error"
    for split in (Split(0.6, 0.5), Split(0.0, 0.2)):
        assert check(messy, "classification", COLUMNS, split)[0].code == "split_shares"


def test_chat_problems_come_with_row_numbers(tmp_path: Path) -> None:
    good = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    lines = [json.dumps({"messages": [{"role": "user", "content": f"Hi {n}"}, good[1]]}) for n in range(60)]
    lines[3] = json.dumps({"messages": good[:1]})
    lines[5] = json.dumps({"messages": [good[1], good[1]]})
    version = bring(tmp_path, "chat.jsonl", "\n".join(lines))
    found = by_code(check(version, "chat", {"messages": "messages"}, Split()))
    assert next(problem for key, problem in found.items() if "no_answer" in key).examples[0][0] == 4
    assert found["chat_twice_in_a_row:columns"].examples[0][0] == 6
    assert sum(count for _, count in length_histogram(version, "chat", {"messages": "messages"})) == 60


def test_only_a_task_that_reads_no_parts_warns_of_cut_ends(messy: DataVersion) -> None:
    parted = by_code(check(messy, "classification", COLUMNS, Split()))
    written = by_code(check(messy, "translation", {"source": "text", "target": "label"}, Split()))
    assert "rows_long" not in parted
    assert "several parts" in parted["rows_long_parts"].text()
    assert "rows_long_parts" not in written
    assert "cut off" in written["rows_long"].text()


def test_large_data_is_sampled_and_numbered_as_in_the_file(messy: DataVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKED", 60)
    checks._looked.cache_clear()
    found = by_code(check(messy, "classification", COLUMNS, Split(seed=99)))
    assert found["rows_sampled"].values == {"rows": 120}
    assert found["rows_long_parts"].examples[0][0] == 41
    assert found["rows_long_parts"].values["row"] == 41
    checks._looked.cache_clear()


def test_charts(messy: DataVersion) -> None:
    counts = label_counts(messy, "label")
    assert counts[0][0] == "good"
    assert sum(count for _, count in counts) == 119
    bins = length_histogram(messy, "classification", COLUMNS)
    assert sum(count for _, count in bins) == 119
    assert bins[-1][0].startswith("≥ ")
    assert bins[-1][0].endswith(", max 4400")


def test_labels_alike_on_purpose_are_left_alone() -> None:
    names = ["level 1", "level 2", "positive", "negative", "known", "unknown", "en", "es"]
    pairs = [(n, names[n % 8]) for n in range(160)] + [(200, "level 3"), (201, "unknowns")]
    found = {problem.code: problem for problem in label_problems(pairs)}
    assert found["labels_spelling"].values["pairs"] == ["'unknowns' = 'unknown'"]


def test_empty_cells_are_counted_with_their_first_row(messy: DataVersion) -> None:
    found = check(messy, "classification", COLUMNS, Split())
    texts = [problem for problem in found if problem.field == "columns.text"]
    labels = [problem for problem in found if problem.field == "columns.label"]
    check_problem(texts, "cells_missing", "warning", "columns.text", row=5, column="text", count=1)
    # Row 122 of the file lacks its last cell.
    check_problem(labels, "cells_missing", "warning", "columns.label", row=7, column="label", count=1)


def test_rare_and_uneven_labels_are_named_with_their_rows(tmp_path: Path) -> None:
    labels = ["refund"] * 100 + ["delivery"] * 30 + ["praise"] * 4 + ["legal"] * 3
    rows = [(f"sentence {n} about thing {n * n}", label) for n, label in enumerate(labels)]
    found = check(bring(tmp_path, "a.csv", csv_of(rows)), "classification", COLUMNS, Split())
    check_problem(found, "labels_rare", "warning", "columns.label", labels=["legal", "praise"], wanted=5, count=2)
    values = {"most": "refund", "high": 100, "least": "legal", "low": 3}
    check_problem(found, "labels_uneven", "warning", "columns.label", **values)


def test_a_split_that_leaves_parts_empty_or_labels_untested_is_told(tmp_path: Path) -> None:
    small = bring(tmp_path / "small", "a.csv", csv_of([("one thing", "a"), ("other thing", "b")]))
    found = check(small, "classification", COLUMNS, Split())
    check_problem(found, "split_empty", "error", "split", count=2, parts=["validation"])
    labels = ["refund"] * 60 + ["delivery"] * 60 + ["legal"]
    rows = [(f"sentence {n} about thing {n * n}", label) for n, label in enumerate(labels)]
    found = check(bring(tmp_path / "large", "b.csv", csv_of(rows)), "classification", COLUMNS, Split())
    check_problem(found, "split_few_test", "note", "split", count=18, wanted=30)
    check_problem(found, "split_label_untested", "note", "split", labels=["legal"], count=1)


def test_an_exchange_too_common_to_keep_together_is_told(tmp_path: Path) -> None:
    def said(*turns: str) -> list[dict[str, str]]:
        return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]

    lines = [json.dumps({"messages": said("Hi", "Hello!", f"question {n}", f"answer {n}")}) for n in range(100)]
    version = bring(tmp_path, "talks.jsonl", "\n".join(lines))
    found = check(version, "chat", {"messages": "messages"}, Split(0.3, 0.3))
    check_problem(found, "split_formula", "note", "split", text="Hi", rows=100, count=2)


@pytest.mark.parametrize("kind", ["labels", "chat"])
def test_the_split_that_is_shown_is_the_one_a_run_uses(messy: DataVersion, tmp_path: Path, kind: str) -> None:
    version, task, columns = messy, "classification", COLUMNS
    if kind == "chat":
        turns = [[f"q{n % 40}", f"a{n % 40}", f"q{n % 7 + 50}", f"a{n}"] for n in range(150)]
        roles = ("user", "assistant") * 2
        talks = [[{"role": role, "content": text} for role, text in zip(roles, one, strict=True)] for one in turns]
        talks[3] = talks[3][:1]
        text = "\n".join(json.dumps({"messages": said}) for said in talks)
        version, task, columns = bring(tmp_path, "talks.jsonl", text), "chat", {"messages": "messages"}
    split = Split(0.2, 0.1, 7)
    spec = Spec(data=version.version, columns=columns, task=task, model="", method="baseline", split=split)
    table, _ = read_table(tmp_path, spec, tasks.get(task), version.folder)
    given = shares(version, task, columns, split)
    assert given.sizes == {part: len(places) for part, places in table.split.items()}
    assert given.usable == len(table.rows)


def test_other_shares_read_no_row_again(messy: DataVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    check(messy, "classification", COLUMNS, Split(seed=5))
    monkeypatch.setattr(checks, "read_rows", None)
    monkeypatch.setattr(checks, "each_row", None)
    assert check(messy, "classification", COLUMNS, Split(0.3, 0.3, 5))
    assert sum(shares(messy, "classification", COLUMNS, Split(0.3, 0.3, 5)).sizes.values()) == 118


def test_pictures_read_one_column_and_only_once(messy: DataVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    label_counts.cache_clear()
    charted._lengths.cache_clear()
    asked: list[str] = []
    monkeypatch.setattr(charted, "read_rows", None)
    monkeypatch.setattr(
        charted, "read_column", lambda version, name: asked.append(name) or store.read_column(version, name)
    )
    for _ in range(2):
        assert label_counts(messy, "label", 1)[0][0] == "good"
        assert length_histogram(messy, "classification", COLUMNS)
    assert asked == ["label", "text"]
