"""Whatever the texts: every step keeps each row's own number, its labels and its order, and the counts are true."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import Cells, cells_of, mended, source_of

from studio.data import spans
from studio.data.mending import Chosen, Source, run_step
from studio.data.steps.base import steps
from studio.errors import UserError

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "balance": [{"label": "label"}, {"label": "label", "how": "repeat", "ratio": 1.0}],
    "drop_blank": [{"columns": ["text", "label"]}],
    "drop_columns": [{"columns": ["other"]}],
    "drop_conflicts": [{"columns": ["text"], "label": "label", "keep": keep} for keep in ("majority", "none")],
    "drop_duplicates": [{"columns": ["text"]}, {"columns": ["text"], "label": "label"}, {}],
    "drop_leaks": [{"column": "other", "columns": ["text"]}],
    "drop_near_duplicates": [{"column": "text"}],
    "drop_rare": [{"label": "label", "rows": 2}],
    "emojis": [{"columns": ["text"]}, {"columns": ["text"], "emoji_as": "chinese"}],
    "join_columns": [{"template": "{text} / {other}"}],
    "keep_language": [{"column": "text"}],
    "keep_length": [{"column": "text", "shortest": 2, "longest": 20}],
    "keep_value": [{"column": "label", "rule": "drop_equal", "value": "a"}],
    "map_labels": [{"label": "label", "pairs": [["a", "b"]]}],
    "replace": [{"columns": ["text"], "find": "a", "instead": "bb"}],
    "sample": [{"share": 0.5}, {"share": 0.3, "label": "label"}],
    "set_cells": [{"edits": [["1:text", "new"], ["1:other", ""]]}],
    "stopwords": [{"columns": ["text"]}, {"columns": ["text"], "language": "zh"}],
    "redact": [{"columns": ["text"], "redact_as": how} for how in ("mask", "hash", "replace")],
}
RELABELS = {"map_labels"}
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(["a", "A ", "你好，世界", "<b>x</b>", "a@b.example", "13800138000", "👍 ok", " ", "cafÃ©", "\x00"]),
)
LABELS = st.one_of(st.none(), st.sampled_from(["a", "b", "c ", ""]))
TABLES = st.lists(st.tuples(TEXTS, LABELS, st.sampled_from([None, "o", "train", "test"])), min_size=1, max_size=25)


@pytest.mark.parametrize("key", steps.keys())
@settings(max_examples=12, deadline=None)
@given(rows=TABLES)
def test_rows_keep_their_number_and_labels(key: str, rows: list[tuple[str | None, str | None, str | None]]):
    cells = {name: [row[place] for row in rows] for place, name in enumerate(("text", "label", "other"))}
    for options in OPTIONS.get(key, [{"columns": ["text"]}]):
        with tempfile.TemporaryDirectory() as folder:
            try:
                after, numbers, outcome = mended(Path(folder), cells, key, **options)
            except UserError as error:
                assert error.code == "step_no_rows"  # noqa: PT017
                continue
        assert numbers == sorted(numbers), "rows keep their order"
        assert set(numbers) <= set(range(1, len(rows) + 1))
        assert outcome.rows == len(numbers)
        assert outcome.dropped == len(rows) - len(set(numbers))
        assert outcome.added == len(numbers) - len(set(numbers))
        if key not in RELABELS:
            assert after["label"] == [rows[number - 1][1] for number in numbers]
        if steps.get(key).family in ("rows", "labels"):
            assert after["text"] == [rows[number - 1][0] for number in numbers]
        kept = {number: spot for spot, number in reversed(list(enumerate(numbers)))}
        changed = [
            number
            for number, spot in kept.items()
            if any(after[name][spot] != cells.get(name, [None] * len(rows))[number - 1] for name in after)
        ]
        assert outcome.changed == len(changed)
        for example in outcome.examples:
            assert example["row"] in range(1, len(rows) + 1)


NAMES = ["Ann", "王明", "Ana 👍", "EU"]
MARKED = st.lists(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.sampled_from(["saw", "<b>", "  ", "你好，", "a@b.example", "x"])),
        max_size=6,
    ),
    min_size=1,
    max_size=12,
)


def marked(words: list[str]) -> tuple[str, str]:
    """A text of these words, and the cell that marks the names in it."""
    text, found = "", []
    for word in words:
        text += " " if text else ""
        if word in NAMES:
            found.append(spans.Entity(len(text), len(text) + len(word), "NAME"))
        text += word
    return text, spans.write(text, found)


def said(text: str | None, cell: str | None) -> list[tuple[str, str]]:
    return [((text or "")[one.start : one.end], one.type) for one in spans.read(text or "", cell).entities]


@pytest.mark.parametrize("key", steps.keys())
@settings(max_examples=8, deadline=None)
@given(rows=MARKED)
def test_spans_stay_on_their_words(key: str, rows: list[list[str]]):
    made = [marked(["Ann", *words]) for words in rows]
    cells: Cells = {
        "text": [text for text, _ in made],
        "label": [f"{'ab'[place % 2]}" for place in range(len(made))],
        "other": ["o"] * len(made),
        "spans": [cell for _, cell in made],
    }
    for options in OPTIONS.get(key, [{"columns": ["text"]}]):
        with tempfile.TemporaryDirectory() as folder:
            try:
                after, numbers, _ = mended(Path(folder), cells, key, **options)
            except UserError as error:
                assert error.code in ("step_no_rows", "step_anchored")  # noqa: PT017
                continue
        for spot, number in enumerate(numbers):
            assert said(after["text"][spot], after["spans"][spot]) == said(*made[number - 1])
            assert len(said(*made[number - 1])) == 1 + sum(word in NAMES for word in rows[number - 1])


KEPT = ["drop_blank", "drop_duplicates", "keep_length", "sample", "balance", "whitespace", "lowercase", "map_labels"]


@settings(max_examples=40, deadline=None)
@given(rows=TABLES, chain=st.lists(st.sampled_from(KEPT), min_size=2, max_size=4))
def test_a_row_keeps_its_number_through_a_chain_of_steps(
    rows: list[tuple[str | None, str | None, str | None]], chain: list[str]
):
    cells: Cells = {name: [row[place] for row in rows] for place, name in enumerate(("text", "label", "other"))}
    cells["id"] = [f"row {number}" for number in range(1, len(rows) + 1)]
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(Path(folder) / "0", cells)
        for turn, key in enumerate(chain, 1):
            made = Path(folder) / str(turn)
            made.mkdir()
            options = OPTIONS.get(key, [{"columns": ["text"]}])[0]
            try:
                run_step(source, Chosen(key, options), {"label": "label", "other": "label"}, made, lambda *_: None)
            except UserError as error:
                assert error.code == "step_no_rows"  # noqa: PT017
                return
            source = Source(made)
        assert cells_of(source)["id"] == [f"row {place + 1}" for place in source.origins()]
