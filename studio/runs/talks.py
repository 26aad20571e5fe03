"""How long the conversations of a chat data set are, and how many answers a length limit cuts; told before a start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.data.chat import ChatFault, as_messages
from studio.data.store import DataVersion, read_rows
from studio.data.use import Use
from studio.problem import Problem

MARKS = 5
"""Tokens that a chat template writes around a message: two markers, the role and two line breaks."""
MANY = 0.05
"""Share of the answers beyond which their loss is more than a blemish."""
_EXAMPLES = 5
_SHOWN = 160


@dataclass(frozen=True)
class Talk:
    """One conversation up to its last answer: its row (from 1), all that is said, what is said before the first
    answer that is learnt, and how many messages each of both has."""

    row: int
    whole: str
    before: str
    messages: int
    prompts: int


def places_of(rows: int, limit: int) -> list[int]:
    """At most `limit` of so many places, evenly spread, from the first on."""
    count = min(rows, limit)
    return [place * rows // count for place in range(count)]


def talks_of(version: DataVersion, use: Use, limit: int, answers: str = "all") -> list[Talk]:
    """Conversations with an answer among at most `limit` rows; `answers` as the task's option of that name."""
    if not any(use.columns.values()):
        return []
    places = places_of(version.rows, limit)
    found = []
    for place, row in zip(places, read_rows(version, use.columns, places), strict=True):
        try:
            said = as_messages(row, {role: role for role in row})
        except ChatFault:
            continue
        known = [number for number, message in enumerate(said) if message["role"] == "assistant"]
        if not known or not said[known[-1]]["content"].strip():
            continue
        texts = [message["content"] for message in said[: known[-1] + 1]]
        first = known[0] if answers == "all" else known[-1]
        found.append(Talk(place + 1, "\n".join(texts), "\n".join(texts[:first]), len(texts), first))
    return found


def cut_answers(
    talks: Sequence[Talk], lengths: Sequence[int], prompts: Sequence[int], tokens: int, rows: int
) -> list[Problem]:
    """A warning where `tokens` cut answers of these talks, which stand for `rows` rows; a clear one where many are.

    `lengths` are tokens in all, with the markers, and `prompts` those of what is said before the first answer, without.
    """
    cut = sum(length > tokens for length in lengths)
    # The markers that open an answer belong to what stands before it.
    lost = [
        talk for talk, length in zip(talks, prompts, strict=True) if length + MARKS * (talk.prompts + 1) - 2 >= tokens
    ]
    if not cut:
        return []
    many = cut > MANY * len(talks)
    each = rows / len(talks)
    values = {"lost": round(len(lost) * each), "tokens": tokens, "rows": rows}
    shown = tuple((talk.row, talk.whole[:_SHOWN]) for talk in lost[:_EXAMPLES])
    code = "answers_cut_many" if many else "answers_cut"
    return [Problem(code, "warning", "training.max_length", round(cut * each), shown, values)]
