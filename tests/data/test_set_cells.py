"""Cells corrected by hand: exactly these, in exactly these rows, and nothing that would make rows unreadable."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import mended

from studio.data import limits
from studio.data.steps.set_cells import MOST
from studio.errors import UserError

CELLS: dict[str, list[str | None]] = {"text": ["a", "b", None], "label": ["x", "y", "y"]}
SPANS: dict[str, list[str | None]] = {
    "text": ["Ann is here"] * 5,
    "spans": ['[{"start": 0, "end": 3, "label": "P"}]'] * 5,
}


@settings(max_examples=40, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["text", "label"]), st.text(max_size=8)), min_size=1, max_size=6
    )
)
def test_exactly_the_named_cells_change(edits: list[tuple[int, str, str]]):
    wanted = {name: list(column) for name, column in CELLS.items()}
    for row, column, value in edits:
        wanted[column][row - 1] = value or None
    with tempfile.TemporaryDirectory() as folder:
        pairs = [[f"{row}:{column}", value] for row, column, value in edits]
        after, numbers, outcome = mended(Path(folder), CELLS, "set_cells", edits=pairs)
    assert after == wanted
    assert numbers == [1, 2, 3]
    assert outcome.changed == sum(
        any(wanted[name][place] != CELLS[name][place] for name in CELLS) for place in range(3)
    )


def test_rows_of_later_batches_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("studio.data.mending.BATCH", 10)
    cells: dict[str, list[str | None]] = {"label": [str(n) for n in range(45)]}
    after, _, _ = mended(
        tmp_path, cells, "set_cells", {"label": "label"}, edits=[["31:label", "new"], ["45:label", "last"]]
    )
    assert [after["label"][place] for place in (29, 30, 31, 44)] == ["29", "new", "31", "last"]


@pytest.mark.parametrize(
    ("cells", "edits", "code"),
    [
        (CELLS, [], "step_cells_none"),
        (CELLS, [["1:label", "x"]] * (MOST + 1), "step_cells_none"),
        (CELLS, [["0:label", "x"]], "step_cell_unknown"),
        (CELLS, [["label", "x"]], "step_cell_unknown"),
        (CELLS, [["１:label", "x"]], "step_cell_unknown"),
        (CELLS, [["1:nosuch", "x"]], "step_column_unknown"),
        (CELLS, [["1:text", "x" * (limits.CELL_CHARACTERS + 1)]], "step_cell_long"),
        (SPANS, [["1:spans", "[{broken"]], "step_cell_json"),
        (SPANS, [["1:text", "Anna is here"]], "step_anchored"),
    ],
)
def test_what_would_spoil_rows_is_refused(tmp_path: Path, cells: dict[str, list[str | None]], edits: list[list[str]], code: str):  # fmt: skip
    with pytest.raises(UserError) as caught:
        mended(tmp_path, cells, "set_cells", edits=edits)
    assert caught.value.code == code


def test_spans_are_corrected_as_they_are_written(tmp_path: Path):
    new = '[{"start": 4, "end": 6, "label": "V"}]'
    after, _, _ = mended(tmp_path, SPANS, "set_cells", edits=[["2:spans", new]])
    assert after["spans"][:2] == [SPANS["spans"][0], new]
