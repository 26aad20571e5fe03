"""Parquet and Excel: what they hold as text, and files that unpack to far more than they seem."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_room import read_bytes, sheet_of, workbook, zipped

from studio.data import limits
from studio.errors import UserError


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a"])
def test_parquet_by_content_with_every_type_as_text(tmp_path: Path, name: str) -> None:
    table = pa.table(
        {
            "text": ["one", None],
            "label": pa.array(["a", "b"]).dictionary_encode(),
            "n": [1, 20],
            "x": [1.5, 2.0],
            "yes": [True, False],
            "day": [datetime.date(2024, 1, 2), None],
            "messages": [[{"role": "user", "content": "hi"}], None],
            "raw": pa.array([b"\x00\x01", b"x"], pa.binary()),
        }
    )
    made = read_bytes(tmp_path, name, parquet(table))
    assert made.rows[0] == {
        "text": "one",
        "label": "a",
        "n": "1",
        "x": "1.5",
        "yes": "true",
        "day": "2024-01-02",
        "messages": '[{"role":"user","content":"hi"}]',
    }
    assert made.rows[1]["text"] is None
    assert made.problem("data_bytes_column")["values"] == {"column": "raw"}


@pytest.mark.parametrize("as_dictionary", [True, False])
def test_parquet_that_decodes_hugely_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_dictionary: bool
) -> None:
    # One long text, 20,000 times: a few kB as a dictionary, 1.3 GB once decoded; its footer says a few kB too.
    monkeypatch.setattr(limits, "DECODED_BYTES", 64 * 2**20)
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 65_536]))
    out = io.BytesIO()
    pq.write_table(pa.table({"text": cells}), out, store_schema=as_dictionary)
    assert len(out.getvalue()) < 100_000
    with pytest.raises(UserError, match="unpacks to more than 64 MB"):
        read_bytes(tmp_path, "a.parquet", out.getvalue())


@pytest.mark.parametrize("cut", [5, 40, 200])
def test_a_half_written_parquet_is_refused(tmp_path: Path, cut: int) -> None:
    content = parquet(pa.table({"text": ["one", "two"]}))
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.parquet", content[:-cut])
    assert caught.value.code == "data_damaged"


def test_xlsx_first_sheet_with_cells(tmp_path: Path) -> None:
    rows = [
        ["review", "mood", "when", "code"],
        ["a fine long stay", "good", datetime.date(2024, 1, 2), "007"],
        ["bad", None, None, 7],
    ]
    made = read_bytes(tmp_path, "a.xlsx", workbook({}, sheet_of(rows)))
    assert made.names == ["review", "mood", "when", "code"]
    assert made.rows[0]["code"] == "007"
    assert made.rows[1] == {"review": "bad", "mood": None, "when": None, "code": "7"}
    assert made.problem("data_first_sheet")["values"]["sheets"] == 2


def test_empty_workbook(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.xlsx", workbook({}))
    assert caught.value.code == "data_no_rows"


SMALL = sheet_of([["a", "b"], ["c", "d"]])


def test_xlsx_that_unpacks_hugely_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_BYTES", 16 * 2**20)
    content = workbook(SMALL, **{"xl/media/filler.bin": bytes(20 * 2**20)})
    assert len(content) < 100_000
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.xlsx", content)
    assert caught.value.code == "data_decodes_too_large"


def test_xlsx_entity_bomb_is_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    bomb = f"<?xml version='1.0'?><!DOCTYPE b [{entities}]><sst><si><t>&l9;</t></si></sst>"
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.xlsx", workbook(SMALL, **{"xl/sharedStrings.xml": bomb.encode()}))
    assert caught.value.code == "data_xml_unsafe"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zipped({"data.csv": b"text,label\n"}), "data_no_rows"),
        (zipped({"zeros": bytes(5_000_000)}), "data_is_binary"),
        (zipped({"word/document.xml": b"<x/>"}), "data_is_document"),
        (zipped({"content.xml": b"<x/>"}), "data_is_old_excel"),
        (zipped({"archive/data.pkl": b"x"}), "data_is_model"),
        (workbook(SMALL, **{"xl/vbaProject.bin": b"x"}), "data_is_macros"),
        (workbook(SMALL)[:-300], "data_damaged"),
    ],
)
def test_archives_are_named_and_refused(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.csv", content)
    assert caught.value.code == code
