"""What is in each column: its kind, gaps, distinct values, lengths. Which column to use is `roles`' question.

A profile is JSON: {"rows", "columns": [{"name", "kind", "missing", "distinct", "mean_length", "max_length",
"length_histogram": {"edges", "counts"}, "top": [[value, count]], "examples": [text], "several": separator or ""}]}
beside what the reader found (format, encoding, delimiter, header, problems). Lengths are in characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from studio.data.chat import looks_like_chat
from studio.data.spans import looks_like_spans

if TYPE_CHECKING:
    import polars as pl

KINDS = ("text", "label", "number", "id", "chat", "spans", "date", "empty", "constant")
_SAMPLE = 400
_BINS = 20
_TOP = 30
_LABELS = 500
"""More different values than this are no labels."""
_LABEL_CHARACTERS = 60
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*%?\s*")
_DATE = re.compile(
    r"\s*(\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?.{0,6})?\s*"
)
_IDENTIFIER = re.compile(r"\s*[\w./:#@-]{1,64}\s*")
_SEPARATORS = ("|", ";", ",", "/")


def profile(frame: pl.DataFrame) -> dict[str, Any]:
    """The profile of a frame of text columns; one pass a column, nothing is kept of it."""
    return {"rows": frame.height, "columns": [_column(frame.get_column(name)) for name in frame.columns]}


def histogram(lengths: Iterable[int], bins: int = _BINS) -> dict[str, list[float]]:
    """{"edges": bins + 1 numbers, "counts": bins numbers} over whole numbers; the longest half per cent share the
    last bin, so that one giant does not flatten the picture. Empty lists where there is nothing to count."""
    values = sorted(lengths)
    if not values:
        return {"edges": [], "counts": []}
    low, high = values[0], max(values[int(0.995 * (len(values) - 1))], values[0] + 1)
    bins = min(bins, high - low)
    step = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / step), bins - 1)] += 1
    edges = [round(low + place * step, 1) for place in range(bins)] + [float(max(values[-1], high))]
    return {"edges": edges, "counts": [float(count) for count in counts]}


def _column(column: pl.Series) -> dict[str, Any]:
    # Whether anything but white space is in a cell, without making a copy of every text.
    filled = column.filter(column.str.contains(r"\S").fill_null(False))
    found: dict[str, Any] = {
        "name": column.name,
        "missing": column.len() - filled.len(),
        "distinct": filled.n_unique(),
        "mean_length": 0.0,
        "max_length": 0,
        "length_histogram": {"edges": [], "counts": []},
        "top": [],
        "examples": [],
        "several": "",
    }
    if filled.len():
        lengths: list[int] = filled.str.len_chars().to_list()
        found["mean_length"] = round(sum(lengths) / len(lengths), 1)
        found["max_length"] = max(lengths)
        found["length_histogram"] = histogram(lengths)
        if found["distinct"] <= max(_LABELS, filled.len() // 2):
            # A column of nearly nothing but different texts has no commonest ones, and counting them costs a copy.
            counts = filled.value_counts(sort=True).head(_TOP)
            found["top"] = [[str(value)[:200], int(count)] for value, count in counts.iter_rows()]
        found["examples"] = [str(value)[:300] for value in filled.head(200).unique(maintain_order=True).head(5)]
    sample = filled.gather_every(max(1, filled.len() // _SAMPLE)).head(_SAMPLE).to_list()
    found["several"] = _separator(filled.head(20_000).to_list(), found)
    found["kind"] = _kind(sample, found, column.len())
    return found


def _kind(sample: Sequence[str], found: dict[str, Any], rows: int) -> str:
    filled, distinct = rows - found["missing"], found["distinct"]
    if not filled:
        return "empty"
    if distinct == 1 and rows > 1:
        return "constant"
    if looks_like_spans(sample):  # before conversations: both are lists of objects
        return "spans"
    if looks_like_chat(sample):
        return "chat"
    if _share(_DATE, sample) > 0.95:
        return "date"
    repeated = distinct <= _LABELS and filled >= 3 * distinct
    if _share(_NUMBER, sample) > 0.97:
        whole = all(text.strip().lstrip("+-").isdigit() for text in sample)
        if whole and repeated and distinct <= 50:
            return "label"
        return "id" if whole and distinct == filled and filled > 3 else "number"
    if repeated and found["max_length"] <= 2 * _LABEL_CHARACTERS and found["mean_length"] <= _LABEL_CHARACTERS:
        return "label"
    if found["several"] and found["mean_length"] <= _LABEL_CHARACTERS:
        return "label"
    digits = sum(any(character.isdigit() for character in text) for text in sample) / len(sample)
    if distinct >= 0.99 * filled and filled > 3 and digits > 0.8 and _share(_IDENTIFIER, sample) > 0.97:
        return "id"
    return "text"


def _share(pattern: re.Pattern[str], sample: Sequence[str]) -> float:
    return sum(len(text) <= 80 and pattern.fullmatch(text) is not None for text in sample) / len(sample)


def _separator(values: Sequence[str], found: dict[str, Any]) -> str:
    """The mark that joins several labels in one cell ("joy|love"), or "".

    It has to occur in a few per cent of the cells, and what it joins has to be a small set of short, recurring parts
    that also stand alone: free text does not do that.
    """
    if not values or found["mean_length"] > _LABEL_CHARACTERS:
        return ""
    for mark in _SEPARATORS:
        joined = [value for value in values if mark in value]
        if len(joined) < max(3, 0.03 * len(values)):
            continue
        parts = Counter(part.strip() for value in values for part in value.split(mark))
        alone = {value.strip() for value in values if mark not in value}
        known = sum(part.strip() in alone for value in joined for part in value.split(mark))
        total = sum(value.count(mark) + 1 for value in joined)
        if "" not in parts and len(parts) <= min(_LABELS, len(values) / 3) and known >= 0.7 * total:
            return mark
    return ""
