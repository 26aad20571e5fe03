"""Texts that are nearly equal: what is found is alike when compared character group by character group, what is planted is
found, and neither order, batches nor the size of pieces change the answer."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import source_of

from studio.data import near
from studio.data.mending import Chosen, run_step
from studio.data.near import Nearness
from studio.data.shingles import scattered, shingles

WORDS = "the kettle leaks since monday and nobody answers my letters about a refund 水壶 漏水 客服 没有 回复 退款 很慢".split()
Rows = list[tuple[int, str | None, str | None]]


def groups_of(text: str) -> set[str]:
    """The definition itself, slowly."""
    size = 4 if text.isascii() else 2
    return {text[place : place + size] for place in range(max(1, len(text) - size + 1))}


def likeness(one: str, other: str) -> float:
    left, right = (groups_of("".join(text.casefold().split())) for text in (one, other))
    return len(left & right) / len(left | right)


def planted(seed: int, count: int = 250) -> Rows:
    """Sentences of words, every third row an earlier one with some letters changed; labels a and b by turns."""
    draw = random.Random(seed)
    texts: list[str] = []
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=draw.randint(8, 30)))
        if number % 3 == 2:
            letters = list(draw.choice(texts))
            for _ in range(draw.randint(1, 4)):
                letters[draw.randrange(len(letters))] = draw.choice("xyz渣")
            text = "".join(letters)
        texts.append(text)
    return [(number, text, "ab"[number % 2]) for number, text in enumerate(texts)]


def found(rows: Rows, least: float = 0.8, batch: int = 100) -> list[tuple[int, int]]:
    looking = Nearness()
    for start in range(0, len(rows), batch):
        looking.add(rows[start : start + batch])
    earlier, later = looking.pairs(least)
    return list(zip(earlier.tolist(), later.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=6))
def test_groups_are_the_sets_they_stand_for(texts: list[str]):
    codes, counts = shingles(texts)
    ends = np.cumsum(counts)
    rows = [codes[end - count : end].tolist() for end, count in zip(ends, counts, strict=True)]
    for text, row in zip(texts, rows, strict=True):
        assert row == sorted(set(row))
        if "\0" not in text:
            assert len(row) == len(groups_of(text))
    for one, left in zip(texts, rows, strict=True):
        for other, right in zip(texts, rows, strict=True):
            if "\0" not in one + other and one.isascii() == other.isascii():
                assert len({*left} & {*right}) == len(groups_of(one) & groups_of(other))
    assert len(np.unique(scattered(np.unique(codes)))) == len(np.unique(codes))


@pytest.mark.parametrize("least", [0.6, 0.8, 0.95])
def test_what_is_planted_is_found_and_what_is_found_is_alike(least: float):
    missed = wanted = 0
    for seed in range(4):
        rows = planted(seed)
        texts, labels = [row[1] or "" for row in rows], [row[2] for row in rows]
        pairs = found(rows, least)
        assert [later for _, later in pairs] == sorted({later for _, later in pairs}), "each row once"
        for one, other in pairs:
            assert one < other
            assert labels[one] == labels[other]
            assert likeness(texts[one], texts[other]) >= least
        known = {later for _, later in pairs}
        for other, text in enumerate(texts):
            alike = [
                one for one in range(other) if labels[one] == labels[other] and likeness(texts[one], text) >= least
            ]
            # An exact copy is no business of this.
            if alike and not any("".join(texts[one].split()) == "".join(text.split()) for one in range(other)):
                wanted += 1
                missed += other not in known
    assert wanted > 10
    # Texts that are 0.8 alike or more are missed once in thousands; less alike ones more often (0.6: one in nine).
    assert missed <= (0.15 * wanted if least < 0.8 else 0.02 * wanted)


def test_batches_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rows = planted(9)
    whole = found(rows)
    assert len(whole) > 15
    assert found(rows, batch=7) == whole
    monkeypatch.setattr(near, "_LETTERS", 300)
    assert found(rows) == whole


def test_a_thousand_forms_of_one_text_cost_no_million_comparisons(monkeypatch: pytest.MonkeyPatch):
    compared = 0
    plain = near._Judge._in_full

    def counting(judge: near._Judge, one: np.ndarray, other: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        nonlocal compared
        compared += len(one)
        return plain(judge, one, other)

    monkeypatch.setattr(near._Judge, "_in_full", counting)
    start = "please ring me about the leaking flask as soon as you can, it stands in the hall and drips all day, case "
    rows: Rows = [(number, f"{start}{number}", None) for number in range(1000)]
    assert len(found(rows)) == 999
    assert compared < 5000


def test_short_texts_blanks_and_repetitions_are_passed_by():
    rows: Rows = [
        (0, None, "a"),
        (1, "too short", "a"),
        (2, " " * 40, "a"),
        (3, "x" + " " * 40, "a"),
        (4, "please ring me about the leaking flask", "a"),
        (5, "please RING me about the  leaking flask", "a"),
        (6, "please ring me about the leaking flasks", "a"),
        (7, "水壶漏水，请尽快回复我们", "a"),
        (8, "水壶漏水，请尽快回复我们!", "a"),
    ]
    assert found(rows) == [(4, 6), (7, 8)]
    assert found([]) == found(rows[:4]) == []


def test_the_step_tells_how_far_it_is_and_can_be_left(tmp_path: Path):
    rows = planted(3, 600)
    source = source_of(tmp_path / "before", {"text": [text for _, text, _ in rows]})
    told: list[int] = []
    run_step(source, Chosen("drop_near_duplicates"), {"text": "text"}, None, lambda done, total: told.append(done))
    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == 600

    class Left(Exception):
        pass

    def leave(done: int, total: int) -> None:
        if done > 300:
            raise Left

    with pytest.raises(Left):
        run_step(source, Chosen("drop_near_duplicates"), {"text": "text"}, None, leave)
