"""The split: stratified, seeded, grouped, the same everywhere, and no text in two parts."""

from __future__ import annotations

import random
import subprocess
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import child
from studio.data.split import PARTS, normalised, split_rows
from studio.spec import Split

WORDS = "ab Ａ ａ é é \u00a0 ß ss 好".split(" ")


def sentences(count: int) -> list[str]:
    return [f"text number {n}" for n in range(count)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), max_size=3), st.sampled_from([None, "x", "y", "z"])), max_size=60
    ),
    st.integers(0, 5),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
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
