"""Task and roles guessed from the columns: sure with a reason, or a question; never a silent wrong choice."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from studio.data.profile import profile
from studio.data.roles import Suggestion, columns_for, suggest_for
from studio.tasks.base import Task, tasks
from studio.words import say

WORDS = "the room staff breakfast bed was is not very clean dirty early late view price night came went".split()


def prose(seed: int, count: int = 60, low: int = 4, high: int = 15) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choices(WORDS, k=dice.randint(low, high))) for _ in range(count)]


def labels(*values: str, count: int = 60) -> list[str]:
    return [values[n % len(values)] for n in range(count)]


def suggest(**columns: list[Any]) -> Suggestion:
    frame = pl.DataFrame({name.strip("_"): cells for name, cells in columns.items()}, schema_overrides=None)
    found = suggest_for(profile(frame.cast(pl.String))["columns"])
    for language in ("en", "zh"):
        assert "{" not in say(found.code, language, **found.values)
    assert all(option.sure for option in found.alternatives)
    return found


@pytest.mark.parametrize(
    ("text", "label"), [("text", "label"), ("评论", "情感"), ("message", "team"), ("column_1", "column_2"), ("x", "y")]
)
def test_one_text_and_one_label_are_sure(text: str, label: str) -> None:
    found = suggest(**{text: prose(1), label: labels("a", "b", "c")})
    assert (found.task, found.columns, found.sure) == ("classification", {"text": text, "label": label}, True)
    assert found.code == "data.reason.one_label"


def test_numbers_as_labels_and_columns_for_machines() -> None:
    found = suggest(id=list(range(60)), text=prose(1), stars=labels("1", "2", "3"), split=labels("train", "test"))
    assert (found.columns, found.sure) == ({"text": "text", "label": "stars"}, True)


def test_two_possible_labels_are_a_question() -> None:
    found = suggest(utterance=prose(1), intent=labels(*"abcdefghij"), domain=labels("x", "y"))
    assert (found.sure, found.columns, found.code) == (False, {"text": "utterance"}, "data.question.which_label")
    assert [option.columns["label"] for option in found.alternatives] == ["intent", "domain"]


def test_a_column_called_label_wins_over_others() -> None:
    found = suggest(text=prose(1), label=labels("a", "b"), region=labels("n", "s"))
    assert (found.sure, found.columns["label"]) == (True, "label")


def test_two_texts_beside_a_label() -> None:
    found = suggest(one=prose(1), two=prose(2), label=labels("a", "b"))
    assert (found.sure, found.columns, found.code) == (False, {"label": "label"}, "data.question.which_text")
    longer = suggest(title=prose(1, low=2, high=3), body=prose(2, low=30, high=60), label=labels("a", "b"))
    assert (longer.sure, longer.columns["text"]) == (True, "body")


def test_nothing_decided_when_both_are_open() -> None:
    found = suggest(one=prose(1), two=prose(2), kind=labels("a", "b"), mood=labels("c", "d"))
    assert (found.sure, found.columns) == (False, {})
    assert [option.task for option in found.alternatives].count("classification") == 4


def test_several_labels_in_one_cell_are_a_question() -> None:
    found = suggest(comment=prose(1), emotions=labels("joy", "love", "anger", "joy|love", "anger|joy"))
    assert (found.sure, found.columns, found.code) == (False, {"text": "comment"}, "data.question.several_labels")
    every = [(one.task, one.columns) for one in found.alternatives]
    assert every[0] == ("classification", {"text": "comment", "label": "emotions"})
    assert ("multilabel", {"text": "comment", "labels": "emotions"}) in every


def test_two_texts_alone_could_be_several_tasks() -> None:
    found = suggest(one=prose(1), two=prose(2))
    assert (found.task, found.sure, found.code) == (None, False, "data.question.two_texts")
    asked = [option.columns["instruction"] for option in found.alternatives if option.task == "chat"]
    assert asked == ["one", "two"]
    assert {option.task for option in found.alternatives} >= {"chat", "translation", "summarisation"}


def test_two_texts_named_after_languages_are_a_translation() -> None:
    found = suggest(english=prose(1), french=prose(2))
    assert (found.task, found.sure, found.code) == ("translation", True, "data.reason.translation")
    assert found.columns == {"source": "english", "target": "french"}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"text": prose(1)}, "no_label"),
        ({"text": prose(1), "score": list(range(100, 160))}, "no_label"),
        ({"a": prose(1), "b": prose(2), "c": prose(3)}, "many_texts"),
        ({"n": list(range(60))}, "no_text"),
        ({"only": ["same"] * 60}, "no_text"),
    ],
)
def test_what_fits_no_task_is_a_question(columns: dict[str, list[Any]], code: str) -> None:
    found = suggest(**columns)
    assert (found.task, found.columns, found.sure, found.code) == (None, {}, False, f"data.question.{code}")


@pytest.mark.parametrize(("columns", "code"), [("label", "one_value"), ("mood", "one_value"), ("source", "no_label")])
def test_a_column_of_one_value_is_said_to_be_one_and_taken_where_it_can_be_nothing_else(
    columns: str, code: str
) -> None:
    found = suggest(text=prose(1), **{columns: ["good"] * 60})
    assert (found.sure, found.code) == (False, f"data.question.{code}")
    if code == "one_value":
        assert (found.task, found.columns) == ("classification", {"text": "text", "label": columns})
        assert "only one value ('good')" in say(found.code, "en", **found.values)


def test_a_task_chosen_by_hand_gets_the_roles_that_can_be_guessed() -> None:
    labels_task, chat_task = tasks.get("classification"), tasks.get("chat")

    def guessed(task: Task, **columns: list[Any]) -> dict[str, str]:
        return columns_for(profile(pl.DataFrame(columns).cast(pl.String))["columns"], task)

    assert guessed(labels_task, text=prose(1)) == {"text": "text"}
    assert guessed(labels_task, text=prose(1), label=labels("a", "b")) == {"text": "text", "label": "label"}
    assert guessed(labels_task, text=prose(1), n=list(range(60)), m=list(range(60))) == {"text": "text"}
    assert guessed(labels_task, a=prose(1), b=prose(2, low=9), c=prose(3)) == {"text": "b"}
    assert guessed(chat_task, question=prose(1), answer=prose(2)) == {"instruction": "question", "output": "answer"}
    assert guessed(chat_task, text=prose(1)) == {}


TALK = json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
SHARED = json.dumps([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])


@pytest.mark.parametrize("name", ["messages", "conversations", "whatever"])
@pytest.mark.parametrize("cell", [TALK, SHARED])
def test_conversations_are_sure(name: str, cell: str) -> None:
    found = suggest(**{name: [cell.replace("Hi", f"Hi {n}") for n in range(60)], "source": labels("a", "b")})
    assert (found.task, found.columns, found.sure) == ("chat", {"messages": name}, True)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("instruction", "output"), ("instruction", "output")),
        (("instruction", "input", "output"), ("instruction", "input", "output")),
        (("prompt", "completion"), ("instruction", "output")),
        (("question", "answer"), ("instruction", "output")),
        (("input", "output"), ("instruction", "output")),
        (("指令", "输入", "输出"), ("instruction", "input", "output")),
    ],
)
def test_instructions_are_sure(names: tuple[str, ...], roles: tuple[str, ...]) -> None:
    found = suggest(**{name: prose(place) for place, name in enumerate(names)})
    assert (found.task, found.sure) == ("chat", True)
    assert found.columns == dict(zip(roles, names, strict=True))


def test_a_passage_beside_question_and_answer_is_a_question() -> None:
    found = suggest(context=prose(1, low=40, high=60), question=prose(2), answer=prose(3, low=1, high=3))
    assert (found.sure, found.columns, found.code) == (False, {}, "data.question.instructions_and_more")


def test_answers_that_recur_could_be_labels() -> None:
    found = suggest(question=prose(1), answer=labels("yes", "no"))
    assert (found.task, found.sure, found.columns) == (None, False, {})
    assert found.code == "data.question.answers_recur"
    assert [option.task for option in found.alternatives] == ["classification", "chat"]


def test_kinds_of_columns() -> None:
    frame = pl.DataFrame(
        {
            "text": prose(1),
            "label": labels("a", "b"),
            "price": [f"{n}.5" for n in range(60)],
            "id": [f"A-{n:05d}" for n in range(60)],
            "talk": [TALK] * 30 + [SHARED] * 30,
            "day": [f"2024-01-{n % 28 + 1:02d}" for n in range(60)],
            "empty": [None] * 59 + [" "],
            "same": ["x"] * 60,
        }
    )
    columns = profile(frame)["columns"]
    assert [column["kind"] for column in columns] == "text label number id chat date empty constant".split()
    assert columns[6]["missing"] == 60
    assert columns[1]["top"] == [["a", 30], ["b", 30]]
    assert sum(columns[0]["length_histogram"]["counts"]) == 60
    assert len(columns[0]["length_histogram"]["edges"]) == len(columns[0]["length_histogram"]["counts"]) + 1


def test_a_profile_is_json(tmp_path: Path) -> None:
    made = profile(pl.DataFrame({"text": prose(1)}))
    assert json.loads(json.dumps(made)) == made


def test_the_column_of_the_file_is_the_label_only_where_nothing_else_is():
    files = labels("a.csv", "b.csv")
    found = suggest(text=prose(3), opinion=labels("good", "bad", "fair"), file=files)
    assert (found.sure, found.columns) == (True, {"text": "text", "label": "opinion"})
    found = suggest(text=prose(3), file=files)
    assert (found.sure, found.columns) == (True, {"text": "text", "label": "file"})
