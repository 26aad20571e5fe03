"""Whatever the texts: every step keeps each row's own number, its labels and its order, and the counts are true."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import mended

from studio.data.steps.base import steps
from studio.errors import UserError

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "balance": [{"label": "label"}, {"label": "label", "how": "repeat", "ratio": 1.0}],
    "drop_blank": [{"columns": ["text", "label"]}],
    "drop_columns": [{"columns": ["other"]}],
    "drop_conflicts": [{"columns": ["text"], "label": "label", "keep": keep} for keep in ("majority", "none")],
    "drop_duplicates": [{"columns": ["text"]}, {}],
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
TABLES = st.lists(st.tuples(TEXTS, LABELS, st.one_of(st.none(), st.just("o"))), min_size=1, max_size=25)


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
