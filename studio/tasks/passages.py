"""A question and a passage as tokens: windows over a long passage, where an answer may begin and end, and back.

The question stands in every window; only the passage is divided. Places are characters of the passage.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from studio.data.tokens import words_of
from studio.tasks.base import Item

NOWHERE = -1
"""Stands in `starts` and `ends` for a token where no answer may begin, or end."""
_LEAST = 8
"""Tokens of a passage by which a window goes on at least."""


def longest_question(max_length: int) -> int:
    """Tokens of a question that are read at most: half of a window, so that the passage keeps the other half."""
    return max(1, max_length // 2)


def overlap(tokenizer: Any, share: float, max_length: int) -> int:
    """Tokens of the passage that a window repeats of the one before it, whatever the question's length."""
    special = int(tokenizer.num_special_tokens_to_add(pair=True))
    narrowest = max_length - longest_question(max_length) - special
    return max(0, min(int(share * (max_length - special)), narrowest - _LEAST))


def encode(
    questions: Sequence[str], passages: Sequence[str], tokenizer: Any, share: float, max_length: int
) -> list[Item]:
    """The windows of each pair, in order: `input_ids`, `token_type_ids`, `starts` and `ends` (the character where an
    answer that begins, or ends, with this token does; NOWHERE elsewhere), `question_cut` (tokens of the question that
    were left out) and `row`."""
    if not questions:
        return []
    kept = [shortened(question, tokenizer, longest_question(max_length)) for question in questions]
    words = [words_of(passage) for passage in passages]
    begins = [{word.start for word in of_one} for of_one in words]
    finishes = [{word.end for word in of_one} for of_one in words]
    cut = tokenizer(
        [question for question, _ in kept],
        list(passages),
        truncation="only_second",
        max_length=max_length,
        stride=overlap(tokenizer, share, max_length),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    items: list[Item] = []
    for window, row in enumerate(cut["overflow_to_sample_mapping"]):
        sides, offsets = cut.sequence_ids(window), cut["offset_mapping"][window]
        starts, ends = bounds(passages[row], sides, offsets, begins[row], finishes[row])
        items.append(
            {
                "input_ids": list(cut["input_ids"][window]),
                "token_type_ids": list(cut["token_type_ids"][window]),
                "starts": starts,
                "ends": ends,
                "question_cut": kept[row][1],
                "row": int(row),
            }
        )
    return items


def shortened(question: str, tokenizer: Any, most: int) -> tuple[str, int]:
    """The question cut to `most` tokens, and how many were left out."""
    if len(question.encode()) <= most:  # no tokenizer makes more tokens than bytes
        return question, 0
    offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    if len(offsets) <= most:
        return question, 0
    return question[: offsets[most - 1][1]], len(offsets) - most


def bounds(
    passage: str,
    sides: Sequence[int | None],
    offsets: Sequence[tuple[int, int]],
    begins: set[int],
    finishes: set[int],
) -> tuple[list[int], list[int]]:
    """For each token the character where an answer may begin, and end, with it: where a word does. Of several tokens
    at one place the last counts: some tokenizers put a mark for "a word begins" before it, or cut a character."""
    starts, ends = [NOWHERE] * len(offsets), [NOWHERE] * len(offsets)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for token, (side, (start, end)) in enumerate(zip(sides, offsets, strict=True)):
        if side != 1:
            continue
        while start < end and passage[start].isspace():
            start += 1
        if start >= end:
            continue
        for place, known, found, allowed in ((start, first, starts, begins), (end, last, ends, finishes)):
            if place in allowed:
                if place in known:
                    found[known[place]] = NOWHERE
                known[place] = token
                found[token] = place
    return starts, ends


def labels(item: Item, start: int, end: int) -> list[int]:
    """[token it begins with, token it ends with] of an answer at these characters, widened to whole words; [0, 0], the
    first token, where the window does not hold all of it."""
    begin = [(place, token) for token, place in enumerate(item["starts"]) if place != NOWHERE]
    finish = [(place, token) for token, place in enumerate(item["ends"]) if place != NOWHERE]
    one = bisect_right(begin, (start, len(item["starts"]))) - 1
    other = bisect_left(finish, (end, -1))
    if start < 0 or one < 0 or other >= len(finish) or begin[one][1] > finish[other][1]:
        return [0, 0]
    return [begin[one][1], finish[other][1]]
