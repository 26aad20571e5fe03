"""Paging, searching and reading by role."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_room import bring

from studio.data import store
from studio.data.paging import PAGE, View, count, page
from studio.data.store import DataVersion, each_row, read_parquet_rows, read_rows
from studio.errors import UserError


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DataVersion:
    lines = [f'"row {n}, with (a+)+$ and 100% [{n}]",{"Äpfel" if n % 10 == 0 else "birnen"},' for n in range(1_000)]
    return bring(tmp_path_factory.mktemp("store"), "a.csv", "text,label,place_0\n" + "\n".join(lines))


def test_a_page_has_places_and_cells(version: DataVersion) -> None:
    rows, more = page(version, 998, 50)
    assert not more
    assert count(version, View()) == 1_000
    assert [row["row"] for row in rows] == [998, 999]
    assert rows[0]["cells"] == {
        "text": "row 998, with (a+)+$ and 100% [998]",
        "label": "birnen",
        "place_0": None,
    }
    assert len(page(version, 0, 10_000)[0]) == PAGE
    assert page(version, -5, 0)[0][0]["row"] == 0
    assert page(version, 5_000, 10) == ([], False)


@pytest.mark.parametrize(
    ("search", "total"),
    [
        ("äpfel", 100),
        ("ÄPFEL", 100),
        ("row 99,", 1),
        ("(a+)+$", 1_000),
        ("[7]", 1),
        (".*", 0),
        ("%", 1_000),
        ("  ", 1_000),
    ],
)
def test_search_is_plain_text_in_any_column(version: DataVersion, search: str, total: int) -> None:
    rows, more = page(version, 0, 3, View(search))
    assert count(version, View(search)) == total
    assert len(rows) == min(3, total)
    assert more == (total > 3)


def test_search_pages_on(version: DataVersion) -> None:
    assert [row["row"] for row in page(version, 2, 2, View("äpfel"))[0]] == [20, 30]


def test_no_search_can_hang(version: DataVersion) -> None:
    assert page(version, 0, 3, View("(a+)+$" * 10_000)) == ([], False)


def test_rows_by_role(version: DataVersion) -> None:
    rows = read_rows(version, {"label": "label", "text": "text", "input": ""}, [10, 3])
    assert rows[0] == {"label": "Äpfel", "text": "row 10, with (a+)+$ and 100% [10]"}
    assert [row["label"] for row in rows] == ["Äpfel", "birnen"]
    assert len(read_rows(version, {"text": "text"})) == 1_000
    assert read_rows(version, {"text": "text"}, []) == []
    with pytest.raises(UserError) as caught:
        read_rows(version, {"text": "no such column"})
    assert caught.value.code == "data_column_unknown"


def test_two_roles_may_read_one_column(version: DataVersion) -> None:
    row = read_rows(version, {"text": "text", "label": "text"}, [0])[0]
    assert row["text"] == row["label"]


def test_a_missing_file_is_no_silent_answer(tmp_path: Path) -> None:
    gone = DataVersion("d-0", "ann", "a", 1, ("text",), 0.0, tmp_path)
    with pytest.raises(FileNotFoundError):
        read_rows(gone, {"text": "text"})


def test_a_few_rows_are_read_from_their_row_groups_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"text": [f"row {n}" for n in range(95)], "label": [str(n % 3) for n in range(95)]})
    pq.write_table(table, path, row_group_size=10)
    read: list[int] = []
    whole = pq.ParquetFile.read_row_group

    def watched(self: pq.ParquetFile, group: int, **how: object) -> pa.Table:
        read.append(group)
        return whole(self, group, **how)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", None)
    monkeypatch.setattr(pq.ParquetFile, "read", None)
    places = [94, 3, 41, 3, 40]
    found = read_parquet_rows(path, {"question": "text", "truth": "label"}, places)
    assert found == [{"question": f"row {n}", "truth": str(n % 3)} for n in places]
    assert read == [0, 4, 9]
    assert read_parquet_rows(path, {"question": "text"}, []) == []
    for wrong in ([95], [-1]):
        with pytest.raises(IndexError):
            read_parquet_rows(path, {"question": "text"}, wrong)


def test_all_rows_pass_by_as_they_are_read(version: DataVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_BATCH", 300)
    columns = {"text": "text", "label": "label", "none": ""}
    assert list(each_row(version, columns)) == read_rows(version, columns)
    with pytest.raises(UserError):
        list(each_row(version, {"text": "nothing"}))
