"""Views of rows, and the process that answers questions about data for the web process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_room import bring

from studio.data import charted, checks, paging, queries
from studio.data.paging import View
from studio.data.store import DataVersion
from studio.errors import UserError
from studio.spec import Split

COLUMNS = {"text": "text", "label": "label"}


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DataVersion:
    lines = [f"words of row {n} 你好 {'Ab' * (n % 7)},{'yes' if n % 3 else 'no'},{(n * 7) % 50}" for n in range(300)]
    lines[5] = "a blank label follows,,"
    return bring(tmp_path_factory.mktemp("queries"), "a.csv", "text,label,score\n" + "\n".join(lines))


@pytest.fixture
def asked() -> Iterator[None]:
    queries.ask_processes()
    yield
    queries.end_processes()


def cells(version: DataVersion) -> list[tuple[int, dict[str, str | None]]]:
    rows, _ = paging.page(version, 0, 200)
    more, _ = paging.page(version, 200, 200)
    return [(row["row"], row["cells"]) for row in rows + more]


@settings(max_examples=40, deadline=None)
@given(
    search=st.sampled_from(["", "row 1", "你好", "ABAB", "(", "zzz"]),
    chosen=st.sampled_from([("", ""), ("label", "yes"), ("label", ""), ("label", "none such")]),
    order=st.sampled_from(["", "text", "label", "score"]),
    falling=st.booleans(),
    offset=st.integers(0, 320),
)
def test_a_view_is_what_sorting_and_filtering_by_hand_gives(version: DataVersion, search: str, chosen: tuple[str, str], order: str, falling: bool, offset: int):  # fmt: skip
    column, value = chosen
    wanted = [
        (place, row)
        for place, row in cells(version)
        if (not column or (row[column] or "") == value)
        and any(search.lower() in (cell or "").lower() for cell in row.values())
    ]
    if order:
        filled = [one for one in wanted if (one[1][order] or "").strip()]
        filled.sort(key=lambda one: float(one[1][order]) if order == "score" else one[1][order], reverse=falling)  # type: ignore[arg-type]
        wanted = filled + [one for one in wanted if one not in filled]
    view = View(search, column, value, order, falling)
    rows, more = paging.page(version, offset, 20, view)
    assert [row["row"] for row in rows] == [place for place, _ in wanted[offset : offset + 20]]
    assert more == (len(wanted) > offset + 20)
    assert paging.count(version, view) == len(wanted)


def test_a_column_that_there_is_not_is_told(version: DataVersion):
    for view in (View(sort="nosuch"), View(column="nosuch")):
        with pytest.raises(UserError) as caught:
            paging.page(version, 0, 5, view)
        assert caught.value.code == "step_column_unknown"


def test_all_rows_can_be_put_in_order_beyond_the_first(version: DataVersion, monkeypatch: pytest.MonkeyPatch):
    near = paging.page(version, 100, 20, View(sort="text"))
    monkeypatch.setattr(paging, "_BEST", 10)
    assert paging.page(version, 100, 20, View(sort="text")) == near


def test_the_process_says_what_this_one_says(version: DataVersion, asked: None):
    view, split = View("row 1", sort="score", falling=True), Split()
    assert queries.page(version, 2, 3, view) == paging.page(version, 2, 3, view)
    assert queries.count(version, view) == paging.count(version, view)
    assert queries.check(version, "classification", COLUMNS, split) == checks.check(version, "classification", COLUMNS, split)  # fmt: skip
    assert queries.shares(version, "classification", COLUMNS, split) == checks.shares(version, "classification", COLUMNS, split)  # fmt: skip
    assert queries.label_counts(version, "label") == list(charted.label_counts(version, "label"))
    assert queries.length_histogram(version, "classification", COLUMNS) == charted.length_histogram(version, "classification", COLUMNS)  # fmt: skip
    assert len(queries.pids()) == 2, "pages do not wait behind what takes longer"
    assert os.getpid() not in queries.pids()


def test_what_is_wrong_with_a_question_comes_back_as_its_sentence(version: DataVersion, asked: None):
    with pytest.raises(UserError) as caught:
        queries.page(version, 0, 5, View(sort="nosuch"))
    assert caught.value.code == "step_column_unknown"
    assert queries.page(version, 0, 1)[1], "the process answers on"


def test_a_killed_process_is_told_and_the_next_question_starts_another(version: DataVersion, asked: None):
    queries.page(version, 0, 5)
    (pid,) = queries.pids()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UserError) as caught:
        queries.page(version, 0, 5)
    assert caught.value.code == "work_too_much_memory"
    assert len(queries.page(version, 0, 5)[0]) == 5
    assert queries.pids() != [pid]


def test_a_process_that_ended_for_want_of_questions_is_started_again(version: DataVersion, asked: None):
    queries.page(version, 0, 5)
    answerer = queries._processes[True]
    assert answerer._process is not None
    assert answerer._process.stdin is not None
    with open(os.devnull, "wb") as nobody:
        os.dup2(nobody.fileno(), answerer._process.stdin.fileno())
    assert answerer._process.wait(timeout=10) == 0
    assert len(queries.page(version, 0, 5)[0]) == 5


def test_an_answer_that_takes_too_long_is_given_up(version: DataVersion, asked: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queries, "PATIENCE", 0.0)
    begun = time.monotonic()
    with pytest.raises(UserError) as caught:
        queries.page(version, 0, 5)
    assert caught.value.code == "work_too_slow"
    assert time.monotonic() - begun < 5
    assert queries.pids() == []


def test_a_version_that_is_gone_is_told(version: DataVersion, asked: None, tmp_path: Path):
    gone = DataVersion("d-0", "ann", "a", 1, ("text",), 0.0, tmp_path / "d-0")
    with pytest.raises(UserError) as caught:
        queries.page(gone)
    assert caught.value.code == "data_unknown"
