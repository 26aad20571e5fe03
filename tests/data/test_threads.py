"""Conversations: which rows come before a row, that the split keeps them whole, and how their columns are recognised."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_room import bring
from spoken import check_problem

from studio.data import queries
from studio.data.checks import check, shares
from studio.data.roles import columns_for, grouped, suggest
from studio.data.split import divide
from studio.data.threads import Threads
from studio.spec import SPLITS, Split
from studio.tasks.base import tasks

COLUMNS = {"text": "text", "label": "label", "thread": "dialog_id", "turn": "turn"}
CLASSES = tasks.get("classification")


def test_earlier_rows_are_those_of_the_conversation_in_its_order():
    texts = ["b2", "a1", "b1", "a3", " ", "b3\nmore", "a2", "alone"]
    names = ["b", "a", "b ", "a", "b", "b", "a", None]
    turns = ["2", "1", "1", "10", "2.5", "3", "2", "1"]
    threads = Threads(names, turns)

    def before(place, most):
        return threads.before(place, texts.__getitem__, most)

    assert before(5, 9) == "b1\nb2", "a blank row is no context"
    assert before(3, 9) == "a1\na2", "2 comes before 10"
    assert before(3, 1) == "a2"
    assert [before(place, 9) for place in (1, 2, 7)] == ["", "", ""]
    assert Threads(names).before(6, texts.__getitem__, 9) == "a1\na3", "without an order, that of the file"
    assert (threads.count, threads.longest, threads.unread) == (2, 4, 0)


def test_equal_and_unreadable_places_keep_the_order_of_the_file():
    texts = ["x", "y", "z"]
    assert Threads(["a"] * 3, ["1", "1", "0"]).before(1, texts.__getitem__, 9) == "z\nx"
    told = Threads(["a"] * 3, ["3", "first", "1"])
    assert told.before(2, texts.__getitem__, 9) == "x\ny"
    assert told.unread == 3
    dates = Threads(["a"] * 3, ["03/04/2024", "25/03/2024", "04/04/2024"])
    assert dates.before(2, texts.__getitem__, 9) == "y\nx"


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(SPLITS[:2]), st.integers(0, 5))
def test_a_conversation_is_never_divided(data, how, seed):
    told = st.tuples(
        st.sampled_from(["yes", "ok", "no", "fine", "x", "你好"]), st.sampled_from(["A", "b", "c", "d", "", None])
    )
    made = data.draw(st.lists(told, min_size=1, max_size=40))
    rows = [{"text": text, "label": str(n % 2), "thread": name} for n, (text, name) in enumerate(made)]
    parts = divide(CLASSES, rows, Split(0.2, 0.2, seed, how)).parts
    assert sorted(place for part in parts.values() for place in part) == list(range(len(rows)))
    part_of = {place: part for part, places in parts.items() for place in places}
    for name in {name for _, name in made if name}:
        assert len({part_of[place] for place, (_, other) in enumerate(made) if other == name}) == 1


SAID = [f"well {word} then" for word in "abcdefghijklmnopqrstuvwxyz"] + [f"is it {word}" for word in "abcdefghijklmn"]


def dialogues(count=60, lines=6, said=SAID):
    """Conversations whose every row is a text that some of the others have too, none of them common."""
    chance = random.Random(3)
    return [
        {"text": chance.choice(said), "label": str(n % 2), "thread": f"d{number}", "turn": str(n)}
        for number in range(count)
        for n in range(lines)
    ]


def test_what_all_conversations_say_does_not_keep_them_from_being_divided():
    found = divide(CLASSES, dialogues(), Split(0.2, 0.2, 1))
    sizes = {part: len(rows) for part, rows in found.parts.items()}
    assert sizes == {"train": 216, "validation": 72, "test": 72}
    assert found.shared == 360
    assert not found.formulas
    few = divide(CLASSES, dialogues(said=("yes", "no", "thank you")), Split(0.2, 0.2, 1))
    assert {part: len(rows) for part, rows in few.parts.items()} == sizes
    assert {one.text for one in few.formulas} == {"thank you", "no", "yes"}, "what is common is named"
    copies = [{**row, "thread": f"{row['thread']}-copy"} for row in dialogues(20, 1, [f"text {n}" for n in range(200)])]
    apart = divide(CLASSES, [*dialogues(20, 1, [f"text {n}" for n in range(200)]), *copies], Split(0.2, 0.2, 1))
    part_of = {place: part for part, places in apart.parts.items() for place in places}
    assert apart.shared == 0
    assert all(part_of[place] == part_of[place + 20] for place in range(20)), "a copy of a long text still counts"


def test_data_without_conversations_are_divided_as_ever():
    plain = [{"text": f"text {n // 2}", "label": str(n % 3)} for n in range(90)]
    named = [{**row, "thread": "", "turn": "1"} for row in plain]
    assert divide(CLASSES, plain, Split()).parts == divide(CLASSES, named, Split()).parts


def file_of(rows, names=("text", "label", "dialog_id", "turn")):
    cells = ("text", "label", "thread", "turn")
    return "\n".join([",".join(names), *(",".join(row[name] for name in cells) for row in rows)])


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    rows = dialogues()
    told = [{**row, "text": f"what they said at {place}"} if place % 2 else row for place, row in enumerate(rows)]
    return bring(tmp_path_factory.mktemp("threads"), "talks.csv", file_of(told))


def test_the_columns_are_recognised(version):
    found = suggest(version)
    assert found.sure, found
    assert (found.task, found.columns) == ("classification", COLUMNS)
    columns = version.profile()["columns"]
    assert columns_for(columns, tasks.get("multilabel"))["thread"] == "dialog_id"
    assert "thread" not in columns_for(columns, tasks.get("causal_lm"))
    single = [{**column, "top": []} if column["name"] == "dialog_id" else column for column in columns]
    assert grouped(single) == {}, "an id of every row names no conversation"
    words = [
        {**column, "examples": ["cook", "guest"], "kind": "label"} if column["name"] == "turn" else column
        for column in columns
    ]
    assert grouped(words) == {"thread": "dialog_id"}, "words are no order"


def test_what_the_check_says(version, tmp_path):
    def told(columns, made=version):
        return check(made, "classification", columns, Split())

    found = told(COLUMNS)
    check_problem(found, "threads_kept", "note", "columns.thread", column="dialog_id", threads=60)
    check_problem(found, "split_texts_shared", "note", "split", column="dialog_id", count=177)
    assert not [problem for problem in found if problem.severity == "error"]
    assert shares(version, "classification", COLUMNS, Split()).shared == 177
    plain = {"text": "text", "label": "label"}
    check_problem(told({**plain, "turn": "turn"}), "turn_alone", "warning", "columns.turn", column="turn")
    rows = dialogues(40, 2)
    late = [{**row, "turn": "late"} if row["turn"] == "1" else row for row in rows]
    mixed = told(COLUMNS, bring(tmp_path / "a", "mixed.csv", file_of(late)))
    check_problem(mixed, "turns_unread", "warning", "columns.turn", column="turn", count=80)
    apart = [{**row, "thread": f"d{number}"} for number, row in enumerate(rows)]
    alone = told(COLUMNS, bring(tmp_path / "b", "alone.csv", file_of(apart)))
    check_problem(alone, "threads_single", "warning", "columns.thread", column="dialog_id")
    one = told(COLUMNS, bring(tmp_path / "c", "one.csv", file_of([{**row, "thread": "d1"} for row in rows])))
    check_problem(one, "split_groups_few", "error", "split", column="dialog_id", count=80, parts=["validation", "test"])


def test_the_page_is_told_of_single_rows(version):
    assert queries.earlier(version, COLUMNS, [0, 8, 6], 2) == queries.earlier(
        version, {**COLUMNS, "turn": ""}, [0, 8, 6], 2
    )
    first, third, none = queries.earlier(version, COLUMNS, [0, 8, 6], 2)
    assert (first, none) == ("", "")
    assert len(third.split("\n")) == 2
    assert queries.earlier(version, {"text": "text"}, [0, 1], 2) == ["", ""]
