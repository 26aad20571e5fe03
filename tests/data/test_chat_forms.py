"""Conversations in their four shapes, and what can be wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.data.chat import ChatFault, as_messages, looks_like_chat, parse, problems

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "value",
    [
        TURNS,
        {"messages": TURNS},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}],
        [{"role": "User", "content": [{"type": "text", "text": "Hi"}]}, {"role": "model", "content": "Hello"}],
    ],
)
def test_openai_and_sharegpt_become_the_same(value: Any) -> None:
    assert parse(json.dumps(value)) == TURNS
    assert as_messages({"talk": json.dumps(value)}, {"messages": "talk"}) == TURNS


@pytest.mark.parametrize(
    ("row", "columns", "question"),
    [
        ({"instruction": "Add", "input": "1 2", "output": "3"}, ("instruction", "input", "output"), "Add\n\n1 2"),
        ({"instruction": "Add", "input": None, "output": "3"}, ("instruction", "input", "output"), "Add"),
        ({"prompt": "Add", "completion": "3"}, ("prompt", "", "completion"), "Add"),
    ],
)
def test_alpaca_and_prompt_completion(row: dict[str, str | None], columns: tuple[str, ...], question: str) -> None:
    chosen = dict(zip(("instruction", "input", "output"), columns, strict=True))
    expected = [{"role": "user", "content": question}, {"role": "assistant", "content": "3"}]
    assert as_messages(row, chosen) == expected


def test_a_row_without_an_answer_ends_with_the_question() -> None:
    assert as_messages({"q": "Why?", "a": ""}, {"instruction": "q", "output": "a"}) == [
        {"role": "user", "content": "Why?"}
    ]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("no json", "chat_unreadable"),
        ("3", "chat_unreadable"),
        ('["text"]', "chat_unreadable"),
        ("{}", "chat_unreadable"),
        ("[]", "chat_empty"),
        ('[{"role": "wizard", "content": "x"}]', "chat_role_unknown"),
        ("[" * 100_000, "chat_unreadable"),
        ("", "chat_unreadable"),
    ],
)
def test_what_is_no_conversation(cell: str, code: str) -> None:
    with pytest.raises(ChatFault) as caught:
        as_messages({"messages": cell}, {"messages": "messages"})
    assert caught.value.code == code
    assert len(caught.value.parts("zh")) == 3


def test_all_problems_at_once_with_row_numbers() -> None:
    def row(*turns: tuple[str, str]) -> dict[str, str | None]:
        return {"messages": json.dumps([{"role": role, "content": content} for role, content in turns])}

    good = ("user", "a"), ("assistant", "b")
    rows = [
        row(*good),
        row(("user", "only a question")),
        row(*good, ("user", "and then?")),
        row(("user", "a"), ("user", "b"), ("assistant", "c")),
        row(*good, ("system", "late")),
        row(("user", "a"), ("assistant", " "), ("user", "b"), ("assistant", "c")),
        row(("assistant", "unasked")),
        {"messages": "no json"},
        row(("wizard", "x")),
    ]
    found = {problem.code: problem for problem in problems(rows)}
    assert {code: problem.examples[0][0] for code, problem in found.items()} == {
        "chat_no_answer": 2,
        "chat_ends_with_question": 3,
        "chat_twice_in_a_row": 4,
        "chat_late_system": 5,
        "chat_blank_message": 6,
        "chat_no_question": 7,
        "chat_unreadable": 8,
        "chat_role_unknown": 9,
    }
    assert all(problem.severity == "warning" for problem in found.values())
    assert "wizard" in found["chat_role_unknown"].text()
    assert [problem.severity for problem in problems(rows[1:2])] == ["error"]


def test_columns_of_conversations_are_recognised() -> None:
    assert looks_like_chat([json.dumps(TURNS)] * 5)
    assert looks_like_chat([json.dumps([{"from": "wizard", "value": "x"}])])
    assert not looks_like_chat([])
    assert not looks_like_chat(["[1, 2]", "{}"])
    assert not looks_like_chat(["[deleted]", "some text"])
