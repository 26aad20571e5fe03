"""Ways to split besides the plain one: at random, by group, by time, as a column says. No text is ever in two parts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_room import bring, zipped
from spoken import check_problem, check_spoken

from studio.data.checks import check, given_column, shares
from studio.data.placing import part_of
from studio.data.split import CELL, PARTS, Division, divide, normalised
from studio.data.times import day_first, moment
from studio.errors import UserError
from studio.spec import SPLITS, Spec, Split
from studio.tasks.base import Row, tasks

COLUMNS = {"text": "text", "label": "label"}


def rows_of(texts: list[str], cells: list[str | None], labels: list[str] | None = None) -> list[Row]:
    made = labels or ["a"] * len(texts)
    return [{"text": text, "label": label, CELL: cell} for text, label, cell in zip(texts, made, cells, strict=True)]


def divided(rows: list[Row], split: Split, task: str = "classification") -> Division:
    return divide(tasks.get(task), rows, split)


TEXTS = st.sampled_from(["good", " GOOD ", "Ｇood", "bad", "好的", "fine day", "x", "你好", "a", "b", "c"])
GIVEN = st.sampled_from(["train", "Dev", "测试集", "data/test-0001.csv"])
TIMES = st.sampled_from(
    ["2024-01-05", "2024年3月1日", "2020", "5 May 2021", None, "31/12/2023", "2024-01-05T10:00:00Z"]
)
GROUPS = st.sampled_from(["ann", "bob", " bob ", "王", None, ""])


def test_a_part_the_column_names_stays_empty_where_all_its_texts_test():
    rows = rows_of(["good", "好的", "好的", "one more"], ["train", "Dev", "测试集", "train"])
    found = divided(rows, Split(0.25, 0.25, 0, "given", "c"))
    assert (found.parts, found.left) == ({"train": [0, 3], "validation": [], "test": [2]}, 1)


@settings(max_examples=120, deadline=None)
@given(st.data(), st.sampled_from(SPLITS), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(0, 3))
def test_no_text_is_in_two_parts_and_no_row_twice(
    data: st.DataObject, how: str, validation: float, test: float, seed: int
):
    kinds = {"given": GIVEN, "time": TIMES, "group": GROUPS}.get(how, st.none())
    made = data.draw(st.lists(st.tuples(TEXTS, st.sampled_from("ab"), kinds), min_size=1, max_size=40))
    rows = rows_of([row[0] for row in made], [row[2] for row in made], [row[1] for row in made])
    if how == "given":
        rows.append({"text": "one more", "label": "a", CELL: "train"})
    if how == "time":
        rows += [{"text": f"at {n}", "label": "a", CELL: f"201{n % 10}-01-01"} for n in range(len(rows))]
    column = "c" if how in ("given", "time", "group") else ""
    found = divided(rows, Split(validation, test, seed, how, column))
    again = divided(rows, Split(validation, test, seed, how, column))
    assert found == again, "the same every time"
    placed = [place for part in PARTS for place in found.parts[part]]
    assert len(placed) == len(set(placed)) == len(rows) - found.left
    assert found.left == 0 or how == "given"
    seen = [{normalised(rows[place]["text"] or "") for place in found.parts[part]} for part in PARTS]
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert found.parts["train"]
    if how == "group":
        for group in {(row[CELL] or "").strip() for row in rows} - {""}:
            places = {place for place, row in enumerate(rows) if (row[CELL] or "").strip() == group}
            assert sum(bool(places & set(found.parts[part])) for part in PARTS) == 1
    if how == "given":
        for part in PARTS[1:]:
            named = {place for place, row in enumerate(rows) if part_of(row[CELL]) == part}
            assert not named or set(found.parts[part]) <= named, "what the column names is not added to"


def a_set(chance: random.Random) -> tuple[str, list[Row]]:
    """A generated set for one of three tasks: copies in other cases, spaces and widths, groups, times, parts."""
    task = chance.choice(["classification", "chat", "translation"])
    words = "red blue 红 蓝 big small 大 小 one two".split()
    sentences = [" ".join(chance.choices(words, k=chance.randint(2, 6))) for _ in range(chance.randint(6, 80))]
    changes: list[Callable[[str], str]] = [str, str.upper, str.title, lambda text: f"  {text} ", lambda text: text.replace(" ", "  "), lambda text: text.replace("o", "ｏ")]  # fmt: skip
    rows: list[Row] = []
    for number in range(chance.randint(30, 200)):
        text = chance.choice(changes)(chance.choice(sentences))
        cell = {"group": f"g{chance.randrange(9)}", "time": f"20{chance.randrange(10, 25)}-0{chance.randrange(1, 10)}-11", "given": chance.choice(["train"] * 5 + ["dev", "test"])}  # fmt: skip
        row: Row
        if task == "classification":
            row = {"text": text, "label": chance.choice("abc")}
        elif task == "chat":
            said = [("user", text), ("assistant", f"answer {number}")]
            said += [("user", chance.choice(sentences)), ("assistant", "ok")] if number % 3 == 0 else []
            row = {"messages": json.dumps([{"role": who, "content": what} for who, what in said], ensure_ascii=False)}
        else:
            row = {"source": text, "target": f"translated {number}"}
        rows.append({**row, **{f"{CELL} {way}": value for way, value in cell.items()}})
    return task, rows


def test_nothing_leaks_over_a_hundred_generated_sets():
    leaks = checked = 0
    for number in range(100):
        task, made = a_set(random.Random(number))
        for how in SPLITS:
            rows = [{**{key: value for key, value in row.items() if not key.startswith(CELL)}, CELL: row.get(f"{CELL} {how}")} for row in made]  # fmt: skip
            found = divided(rows, Split(0.2, 0.2, number, how, "c"), task)
            member = tasks.get(task)
            formulas = {normalised(formula.text) for formula in found.formulas}
            ties = [{normalised(text) for place in found.parts[part] for text in member.ties(rows[place])} - formulas for part in PARTS]  # fmt: skip
            leaks += sum(len(one & other) for turn, one in enumerate(ties) for other in ties[turn + 1 :])
            checked += sum(len(found.parts[part]) for part in PARTS)
    assert leaks == 0
    assert checked > 40_000


def test_at_random_looks_at_no_label():
    texts = [f"text {n}" for n in range(400)]
    plain = divided(rows_of(texts, [None] * 400, ["a", "b"] * 200), Split(how="random"))
    other = divided(rows_of(texts, [None] * 400, ["b"] * 399 + ["a"]), Split(how="random"))
    assert plain.parts == other.parts
    assert [len(plain.parts[part]) for part in PARTS] == [280, 60, 60]
    assert plain.labels is not None, "which labels are not tested is still told"


def test_groups_stay_together_and_labels_stay_mixed():
    texts = [f"text {n}" for n in range(600)]
    people, labels = [f"person {n // 6}" for n in range(600)], ["ab"[n // 6 % 2] for n in range(600)]
    found = divided(rows_of(texts, list(people), labels), Split(how="group", column="who"))
    for part in PARTS:
        mixed = [labels[place] for place in found.parts[part]]
        assert abs(mixed.count("a") - len(mixed) / 2) <= 6
    assert abs(len(found.parts["test"]) - 90) <= 6


def test_the_latest_rows_are_tested():
    texts = [f"text {n}" for n in range(100)]
    cells: list[str | None] = [f"{1 + n % 28}.{1 + n // 28}.2024" for n in range(100)]
    rows = rows_of(texts, cells)
    rows[99]["text"] = "TEXT 0"  # what is said again late was known early
    rows[50][CELL] = "some day"
    random.Random(1).shuffle(rows)
    found = divided(rows, Split(how="time", column="when"))
    days = day_first(row[CELL] for row in rows)
    assert days is True
    spans = {}
    for part in PARTS:
        times = [
            moment(rows[place][CELL], days)
            for place in found.parts[part]
            if (rows[place]["text"] or "").lower() != "text 0"
        ]
        known = [time for time in times if time is not None]
        spans[part] = (min(known), max(known))
    assert spans["train"][1] <= spans["validation"][0] <= spans["validation"][1] <= spans["test"][0]
    assert found.unread == 1
    (place,) = [place for place, row in enumerate(rows) if row[CELL] == "some day"]
    assert place in found.parts["train"]
    copies = [place for place, row in enumerate(rows) if (row["text"] or "").lower() == "text 0"]
    assert set(copies) <= set(found.parts["train"])


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_very_few_rows_by_time(rows: int):
    found = divided(
        rows_of([f"t {n}" for n in range(rows)], [f"200{n}" for n in range(rows)]), Split(how="time", column="y")
    )
    filled = [part for part in ("train", "test", "validation") if found.parts[part]]
    assert filled == ["train", "test", "validation"][: min(rows, 3)]


ORDERED = [
    "1999", "2000-02-29", "2 March 2000", "Mar 3rd, 2000", "2000/3/4 7:30", "2000/3/4 7:30 PM", "5/3/2000", "2000年3月6日 10时30分",
    "Tue, 07 Mar 2000 09:00:00 +0000", "2000-03-07T23:00:00+01:00", "8 mar. 2000", "2000-4",
]  # fmt: skip


def test_times_in_the_forms_people_write():
    found = [moment(text, True) for text in ORDERED[1:]]
    assert None not in found
    assert found == sorted(found, key=float)
    assert len(set(found)) == len(found)
    assert moment("3/4/2024", False) == moment("2024-03-04")
    assert moment("3/4/2024", True) == moment("2024-04-03")
    assert not day_first(["3/4/2024", "3/14/2024"])
    assert day_first(["3/4/2024", "14/3/2024"])
    for text in ("", None, "soon", "32 May 2024", "2024-13-01", "5 Foo 2020", "9" * 70, "1/2/3"):
        assert moment(text) is None


def test_a_given_split_stays_as_it_is_and_the_rest_is_carved():
    texts = [f"text {n}" for n in range(200)]
    cells: list[str | None] = ["train"] * 150 + ["TEST"] * 50
    rows = rows_of(texts, cells, ["ab"[n % 2] for n in range(200)])
    rows[0]["text"] = "Text 199"
    found = divided(rows, Split(0.2, 0.2, 1, "given", "part"))
    assert found.parts["test"] == list(range(150, 200))
    assert found.left == 1
    assert 0 not in found.parts["train"]
    assert len(found.parts["validation"]) == 30
    assert sorted(found.parts["train"] + found.parts["validation"]) == list(range(1, 150))


@pytest.mark.parametrize(
    ("cell", "part"),
    [("Train", "train"), ("训练集", "train"), ("VALIDATION", "validation"), ("dev", "validation"), ("ｔｅｓｔ", "test"), ("my_test.csv", "test"), ("a.zip/train.jsonl", "train"), ("test/train.csv", "train"), ("train-test", None), ("latest", None), ("contest.csv", None), ("", None), (None, None), ("0", None)],
)  # fmt: skip
def test_which_part_a_cell_names(cell: str | None, part: str | None):
    assert part_of(cell) == part


def test_what_a_column_cannot_say():
    rows = rows_of(["a", "b", "c"], ["train", "holdout", None])
    with pytest.raises(UserError) as caught:
        divided(rows, Split(how="given", column="part"))
    check_spoken(caught.value, "split_values_unknown", count=2, column="part", values=["holdout", "-"])
    with pytest.raises(UserError) as caught:
        divided(rows_of(["a", "b"], ["test", "dev"]), Split(how="given", column="part"))
    check_spoken(caught.value, "split_no_train", column="part", values=["dev", "test"])
    with pytest.raises(UserError) as caught:
        divided(rows_of(["a", "b", "c"], ["soon", None, "2020"]), Split(how="time", column="when"))
    check_spoken(caught.value, "split_times_unreadable", count=2, rows=3, column="when", values=["soon", "-"])
    with pytest.raises(UserError) as caught:
        divided(rows, Split(how="group"))
    assert caught.value.code == "split_column_missing"
    assert "'Keep groups together'" in caught.value.text()


CSV = "text,label,who,when,part\n" + "".join(
    f"a sentence number {n},{'ab'[n % 2]},person {n // 4},2024-01-{1 + n // 4:02d},{'train' if n < 90 else 'test'}\n"
    for n in range(120)
)


def test_the_check_says_what_a_run_will_do(tmp_path: Path):
    version = bring(tmp_path, "a.csv", CSV + "A sentence  number 95,b,person 1,soon,train\n")
    assert given_column(version) == "part"
    check_problem(
        check(version, "classification", COLUMNS, Split()), "split_column_there", "note", "split", column="part"
    )
    split = Split(how="given", column="part")
    check_problem(
        check(version, "classification", COLUMNS, split), "split_repeated", "note", "split", column="part", count=1
    )
    told = shares(version, "classification", COLUMNS, split)
    assert (told.usable, told.left, told.sizes["test"]) == (121, 1, 30)
    split = Split(how="time", column="when")
    check_problem(check(version, "classification", COLUMNS, split), "split_times_missing", "warning", "split", column="when", count=1)  # fmt: skip
    split = Split(how="time", column="text")
    (found,) = [one for one in check(version, "classification", COLUMNS, split) if one.severity == "error"]
    assert (found.code, found.field) == ("error.split_times_unreadable", "split")
    assert "2024-05-31" in found.text()
    (found,) = [one for one in check(version, "classification", COLUMNS, Split(how="group", column="no")) if one.severity == "error"]  # fmt: skip
    assert found.code == "column_unknown"
    split = Split(how="group", column="part")
    check_problem(check(version, "classification", COLUMNS, split), "split_groups_few", "error", "split", column="part", count=121, parts=["validation", "test"])  # fmt: skip


def test_a_run_divides_its_rows_as_the_check_said(tmp_path: Path):
    from studio.training.rows import read_table

    version = bring(tmp_path, "a.csv", CSV)
    for split in (
        Split(how="given", column="part"),
        Split(how="time", column="when"),
        Split(how="group", column="who"),
    ):
        run = tmp_path / split.how
        run.mkdir()
        spec = Spec(version.version, COLUMNS, "classification", "", "baseline", split=split)
        table, left = read_table(run, spec, tasks.get("classification"), version.folder)
        told = shares(version, "classification", COLUMNS, split)
        assert {part: len(table.split[part]) for part in PARTS} == told.sizes
        assert left == 0
        assert set(table.rows[0]) == {"text", "label"}, "no model sees the column that splits"
        assert read_table(run, spec, tasks.get("classification"), version.folder)[0].split == table.split


def test_an_archive_of_train_and_test_files_says_the_split_itself(tmp_path: Path):
    rows = "text,label\n" + "".join(f"a sentence {n},{'ab'[n % 2]}\n" for n in range(60))
    version = bring(
        tmp_path, "set.zip", zipped({"set/train.csv": rows, "set/test.csv": rows.replace("sentence", "line")})
    )
    assert given_column(version) == "file"
    split = Split(how="given", column="file")
    assert shares(version, "classification", COLUMNS, split).sizes == {"train": 51, "validation": 9, "test": 60}
