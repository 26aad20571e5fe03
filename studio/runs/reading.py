"""What a model will read of the data, which starter reads it, and how long it is in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from studio.data.queries import earlier
from studio.data.samples import Sample
from studio.data.store import DataVersion, read_rows
from studio.data.use import Use
from studio.models.catalogue import resolve
from studio.models.coverage import reads_your_text, token_lengths
from studio.problem import Problem
from studio.runs.talks import MARKS, Talk, places_of, talks_of
from studio.tasks.base import tasks
from studio.tasks.earlier import THREAD, USUAL
from studio.workspace import Workspace

LOOKED_AT = 400
"""Rows whose lengths stand for all."""
_CHARACTERS_A_TOKEN = {"latin": 4.2, "other": 1.4}


def texts_of(version: DataVersion, use: Use, limit: int = LOOKED_AT) -> list[str]:
    """The texts a model will read, of rows spread evenly over the data."""
    task = tasks.get(use.task)
    if task.kind.conversational:
        texts = [talk.whole for talk in talks_of(version, use, limit)]
    else:
        texts = [task.whole(row) for row in read_rows(version, use.columns, places_of(version.rows, limit))]
    return [text for text in texts if text.strip()]


class Read(NamedTuple):
    """What a model will read of the data: conversations where rows are such, texts, and tokens a text."""

    talks: list[Talk]
    texts: list[str]
    lengths: list[int]


def read_for(workspace: Workspace, version: DataVersion, use: Use, model: str, answers: str = "all") -> Read:
    """The texts of rows spread evenly over the data, as long as `model` finds them; `answers` as the chat task's
    option of that name."""
    talks = talks_of(version, use, LOOKED_AT, answers) if tasks.get(use.task).kind.conversational else []
    texts = [talk.whole for talk in talks] or texts_of(version, use)
    lengths = lengths_of(workspace, texts, model)
    if talks:
        lengths = [length + MARKS * talk.messages for talk, length in zip(talks, lengths, strict=True)]
    return Read(talks, texts, lengths)


def earlier_lengths(workspace: Workspace, version: DataVersion, use: Use, model: str, most: int) -> list[int]:
    """Tokens that at most so many earlier rows of its conversation add to each of the texts of `read_for`."""
    places = places_of(version.rows, LOOKED_AT)
    rows, task = read_rows(version, use.columns, places), tasks.get(use.task)
    told = earlier(version, use.columns, places, most)
    texts = [text for row, text in zip(rows, told, strict=True) if task.whole(row).strip()]
    lines = [text.count("\n") + 1 for text in texts]
    # Each line has a mark of its own instead of the two around a text.
    return [
        max(0, length + count - 2) if text else 0
        for text, count, length in zip(texts, lines, lengths_of(workspace, texts, model), strict=True)
    ]


def with_earlier(
    workspace: Workspace, version: DataVersion, use: Use, model: str, about: Any, lengths: list[int]
) -> tuple[list[int], float | None, list[Problem]]:
    """Tokens a row (`lengths` are those of its text) as a run with these task options reads them; how many times as
    long texts are with earlier rows, None where no column says which those are; and why they cannot be read."""
    most = getattr(about, "context", None)
    if most is None or not use.columns.get(THREAD.key):
        values = {"context": most}
        return lengths, None, [Problem("context_no_column", "error", "task.context", values=values)] if most else []
    more = earlier_lengths(workspace, version, use, model, most or USUAL)
    longer = [length + added for length, added in zip(lengths, more, strict=True)]
    return longer if most else lengths, sum(longer) / max(sum(lengths), 1), []


def mostly_latin(texts: Sequence[str]) -> bool:
    """Whether the letters of these texts are Latin ones for the most part."""
    letters = _letters(texts)
    return sum(letter < "ɐ" for letter in letters) >= 0.8 * len(letters)


def looks_english(texts: Sequence[str]) -> bool:
    """Whether hardly a letter is outside the English alphabet: accents are rare there and common elsewhere."""
    letters = _letters(texts)
    return sum(not letter.isascii() for letter in letters) <= 0.01 * len(letters)


def _letters(texts: Sequence[str]) -> list[str]:
    return [letter for text in texts for letter in text if letter.isalpha()]


def suggest_model(workspace: Workspace, version: DataVersion, use: Use) -> str:
    """The starter that reads this text: chat wants a model that writes, other scripts one that knows them."""
    if fixed := tasks.get(use.task).starter:
        return fixed
    texts = texts_of(version, use)
    share = reads_text(workspace, texts, "starter:minilm")
    return "starter:minilm" if looks_english(texts) and (share is None or share >= 0.95) else "starter:e5"


def suggest_sample_model(sample: Sample) -> str:
    """What `suggest_model` will say of a sample, known before its rows are brought in."""
    if fixed := tasks.get(sample.task).starter:
        return fixed
    return "starter:minilm" if sample.language == "en" else "starter:e5"


def reads_text(workspace: Workspace, texts: Sequence[str], model: str) -> float | None:
    """The share of the texts' tokens the model knows; None while it is not on disk."""
    folder = resolve(workspace, model)
    return None if folder is None or not texts else reads_your_text(folder, list(texts))


def lengths_of(workspace: Workspace, texts: Sequence[str], model: str) -> list[int]:
    """Tokens a text: counted where the tokenizer is on disk, else guessed from the script."""
    folder = resolve(workspace, model)
    if folder is not None:
        counted: list[int] = token_lengths(folder, list(texts))
        return counted
    rate = _CHARACTERS_A_TOKEN["latin" if mostly_latin(texts) else "other"]
    return [max(3, round(len(text) / rate) + 2) for text in texts]
