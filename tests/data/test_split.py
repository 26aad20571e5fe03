"""The split: stratified, seeded, grouped, the same everywhere, and no text in two parts."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import child
from studio.data.split import PARTS, Division, Formula, divide, normalised, split_rows
from studio.spec import Split
from studio.tasks.base import tasks
from studio.tasks.chat import messages_of

WORDS = "ab Ａ ａ é é \u00a0 ß ss 好".split(" ")


def sentences(count: int) -> list[str]:
    return [f"text number {n}" for n in range(count)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), max_size=3), st.sampled_from([None, "x", "y", "z"])), max_size=60
    ),
    st.integers(0, 5),
    st.floats(0, 0.4, allow_subnormal=False),
    st.floats(0, 0.4, allow_subnormal=False),
)
def test_every_row_once_and_no_text_in_two_parts(
    rows: list[tuple[list[str], str | None]], seed: int, validation: float, test: float
) -> None:
    texts = [" ".join(words) for words, _ in rows]
    parts = split_rows(texts, [label for _, label in rows], Split(validation, test, seed))
    assert sorted(place for part in PARTS for place in parts[part]) == list(range(len(rows)))
    seen = [{normalised(texts[place]) for place in parts[part]} for part in PARTS]
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert parts["train"] or not rows


def test_shares_are_kept_in_every_label() -> None:
    labels = ["often"] * 800 + ["seldom"] * 150 + ["rare"] * 50
    parts = split_rows(sentences(1_000), labels, Split(0.15, 0.15, 3))
    assert {part: len(places) for part, places in parts.items()} == {"train": 700, "validation": 150, "test": 150}
    for part, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        counts = Counter(labels[place] for place in parts[part])
        for label, total in Counter(labels).items():
            assert abs(counts[label] - share * total) <= 1.5


def test_many_tiny_labels_keep_the_shares_and_a_place_in_train() -> None:
    labels = [f"label {n // 3}" for n in range(450)]
    parts = split_rows(sentences(450), labels, Split())
    assert {labels[place] for place in parts["train"]} == set(labels)
    assert abs(len(parts["test"]) - 67.5) <= 2
    assert abs(len(parts["validation"]) - 67.5) <= 2


def test_labels_with_five_rows_are_tested_too() -> None:
    labels = [f"label {n // 12}" for n in range(156)]
    parts = split_rows(sentences(156), labels, Split())
    for part in PARTS:
        assert {labels[place] for place in parts[part]} == set(labels)


def test_duplicates_stay_together_even_in_large_groups() -> None:
    texts = ["the same text"] * 300 + sentences(700)
    parts = split_rows(texts, None, Split(0.15, 0.15, 1))
    holders = [part for part in PARTS if any(place < 300 for place in parts[part])]
    assert len(holders) == 1
    assert holders == ["train"]
    assert abs(len(parts["test"]) - 150) <= 1


def test_groups_chain_through_texts() -> None:
    texts = ["a", "b", "b", "c", *sentences(200)]
    groups: list[str | None] = ["one", "one", "two", "two", *[None] * 200]
    parts = split_rows(texts, None, Split(0.2, 0.2, 5), groups)
    assert sum(any(place < 4 for place in parts[part]) for part in PARTS) == 1
    assert sorted(place for part in PARTS for place in parts[part]) == list(range(204))


def test_seed_and_nothing_else_decides() -> None:
    texts, labels = sentences(200), [str(n % 4) for n in range(200)]
    first = split_rows(texts, labels, Split(seed=1))
    assert split_rows(texts, labels, Split(seed=1)) == first
    assert split_rows(texts, labels, Split(seed=2)) != first
    order = list(range(200))
    random.Random(0).shuffle(order)
    shuffled = split_rows([texts[n] for n in order], [labels[n] for n in order], Split(seed=1))
    assert sorted(order[place] for place in shuffled["test"]) == first["test"]


def test_another_process_divides_the_same_way() -> None:
    script = (
        "from studio.data.split import split_rows; from studio.spec import Split;"
        "print(split_rows([f'text number {n}' for n in range(50)], ['xy'[n % 2] for n in range(50)], Split())['test'])"
    )
    found = {
        subprocess.run(
            [child.command("x")[0], "-c", script],
            env=child.environment(PYTHONHASHSEED=seed),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = split_rows(sentences(50), ["xy"[n % 2] for n in range(50)], Split())["test"]
    assert found == {f"{here}\n"}


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_very_few_rows(rows: int) -> None:
    parts = split_rows(sentences(rows), None, Split())
    filled = [part for part in ("train", "test", "validation") if parts[part]]
    assert filled == ["train", "test", "validation"][: min(rows, 3)]


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.1, 1.0)])
def test_impossible_shares(validation: float, test: float) -> None:
    with pytest.raises(ValueError, match="shares"):
        split_rows(["a"], None, Split(validation, test, 1))


def talk(*turns: str) -> dict[str, str | None]:
    """A row of a conversation, user and assistant by turns."""
    said = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]
    return {"messages": json.dumps(said)}


def divided(rows: list[dict[str, str | None]], split: Split) -> Division:
    return divide(tasks.get("chat"), rows, split)


def part_of(found: Division, row: int) -> str:
    return next(part for part in PARTS if row in found.parts[part])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (talk("Q1", "A1"), talk("Q1", "A1", "Q2", "A2")),
        (talk("Q0", "A0", "Q1", "A1"), talk("Q1 ", "a1", "Q2", "A2")),
        (talk("Q0", "A0", "Q1", "A1", "Q3", "A3"), talk("Q4", "A4", "q1", "A1")),
        (talk("Q1", "A1", "Q2", "A2"), talk("q1", "another answer", "Q5", "A5")),
    ],
)
def test_an_exchange_is_never_learnt_in_one_conversation_and_tested_in_another(first, second) -> None:
    others = [talk(f"question {n}", f"answer {n}") for n in range(60)]
    for seed in range(12):
        found = divided([first, second, *others], Split(0.3, 0.3, seed))
        assert part_of(found, 0) == part_of(found, 1)
        assert found.formulas == []


TURNS = st.lists(st.sampled_from(["hi", "Hi ", "yes", "no", "what?"]), min_size=2, max_size=6).map(
    lambda said: said[: len(said) // 2 * 2]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=19), st.integers(0, 3))
def test_no_exchange_and_no_opening_in_two_parts(talks: list[list[str]], seed: int) -> None:
    rows = [talk(*turns) for turns in talks]
    found = divided(rows, Split(0.2, 0.2, seed))
    assert sorted(place for part in PARTS for place in found.parts[part]) == list(range(len(rows)))
    seen: list[set[tuple[str, ...]]] = []
    for part in PARTS:
        held: set[tuple[str, ...]] = set()
        for place in found.parts[part]:
            said = [normalised(message["content"]) for message in messages_of(rows[place])]
            held |= {(said[0],), *zip(said[::2], said[1::2], strict=True)}
        seen.append(held)
    assert sum(map(len, seen)) == len(set().union(*seen))


def test_a_greeting_at_the_head_of_all_conversations_does_not_leave_the_test_empty() -> None:
    rows = [talk("Hi", "Hello!", f"question {n // 2}", f"answer {n // 2}", f"more {n}", "Sure.") for n in range(200)]
    found = divided(rows, Split(0.2, 0.2, 1))
    assert found.formulas == [Formula("Hi", 200), Formula("Hi \0 Hello!", 200)]
    assert {part: len(places) for part, places in found.parts.items()} == {"train": 120, "validation": 40, "test": 40}
    for number in range(0, 200, 2):
        assert part_of(found, number) == part_of(found, number + 1)


def test_conversations_of_one_question_are_divided_as_before() -> None:
    texts = sentences(100)
    rows = [talk(text, f"answer {n}") for n, text in enumerate(texts)]
    assert divided(rows, Split(seed=4)).parts == split_rows(texts, None, Split(seed=4))
