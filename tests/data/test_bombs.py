"""Small files made to hurt, through the real child: each is refused with its sentence or read within the limits, and
neither this process nor the workspace grows."""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_room import OWNER, tree, workbook, zipped

from studio.data.importing import import_file
from studio.errors import UserError
from studio.workspace import Workspace

pytestmark = pytest.mark.slow
READ = "read"
"""Stands for a code where the file is harmless in the end: it may be read within the limits."""


def saved(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def repeated(text: str, times: int) -> pa.Table:
    return pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))})


def lying(content: bytes) -> bytes:
    """A zip whose directory says that every member is one byte long."""
    changed = bytearray(content)
    place = changed.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + 24 : place + 28] = (1).to_bytes(4, "little")
        place = changed.find(b"PK\x01\x02", place + 1)
    return bytes(changed)


WORKBOOK = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><sst><si><t>&a;</t></si></sst>'
ROWS = b"a row of no worth,x\n" * 10
LONG = b"a" * 99_990 + b",x label\n"
"""A hundred thousand bytes."""
NOWHERE = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="s"><v>4294967295</v></c></row></sheetData></worksheet>'  # fmt: skip
BOMBS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "parquet, 1.3 GB in a dictionary": (lambda: saved(repeated("x" * 65_536, 20_000)), {"data_decodes_too_large"}),
    "parquet, the same without": (
        lambda: saved(repeated("x" * 65_536, 20_000), store_schema=False, compression="zstd"),
        {"data_decodes_too_large", "data_too_much_memory"},
    ),
    "parquet, 2.2 million rows": (lambda: saved(repeated("x", 2_200_000)), {"data_too_many_rows"}),
    "parquet, cells of 5 MB": (lambda: saved(repeated("x" * 5_000_000, 3)), {"data_cell_too_long"}),
    "parquet, 3,000 columns": (
        lambda: saved(pa.table({f"c{n}": ["x"] for n in range(3_000)})),
        {"data_too_many_columns"},
    ),
    "parquet, lists of lists": (
        lambda: saved(pa.table({"text": pa.array([[[["x"] * 100] * 100] * 3])})),
        {READ, "data_cell_too_long"},
    ),
    "workbook, far corners": (
        lambda: workbook({"A1": "text", "XFD1048576": "far"}),
        {"data_too_much_memory", "data_damaged"},
    ),
    "workbook, last row": (lambda: workbook({"A1": "text", "A1048576": "far"}), {READ, "data_too_many_rows"}),
    "workbook, 300 MB of zeros": (
        lambda: zipped({**WORKBOOK, "xl/sharedStrings.xml": bytes(300 * 2**20)}),
        {"data_decodes_too_large"},
    ),
    "workbook, lying sizes": (
        lambda: lying(zipped({**WORKBOOK, "xl/sharedStrings.xml": bytes(300 * 2**20)})),
        {"data_decodes_too_large", "data_damaged"},
    ),
    "workbook, entities": (lambda: zipped({**WORKBOOK, "xl/sharedStrings.xml": ENTITIES}), {"data_xml_unsafe"}),
    "workbook, 5,000 members": (
        lambda: zipped({**WORKBOOK, **{f"m{n}": b"" for n in range(5_000)}}),
        {"data_decodes_too_large", "data_is_archive"},
    ),
    "deep list": (lambda: b"[" * 900_000, {READ}),
    "deep objects": (lambda: b'{"a":' * 150_000, {"data_json_deep", "data_json_broken"}),
    "deep lines": (lambda: b"\n".join([b'{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}"] * 50), {"data_json_deep"}),
    "long number": (lambda: b'[{"a": ' + b"9" * 900_000 + b"}]", {"data_json_broken"}),
    "columns by line": (
        lambda: "\n".join(json.dumps({f"c{n}": 1}) for n in range(50_000)).encode(),
        {"data_too_many_columns"},
    ),
    "wide and long": (
        lambda: "\n".join(json.dumps({f"c{n % 1_999}": 1}) for n in range(60_000)).encode(),
        {"data_decodes_too_large", "data_too_much_memory", "data_too_slow"},
    ),
    "a million columns": (lambda: b"," * 999_999 + b"\n", {"data_too_many_columns"}),
    "open quotes": (lambda: b"text,label\n" + b'"good",a\n' * 300 + b'"a,b\n' * 190_000, {READ}),
    "nothing but quotes": (lambda: b'"' * 900_000, {"data_all_broken", READ}),
    "nothing but line ends": (lambda: b"\n" * 1_000_000, {"data_no_rows"}),
    "one long line": (lambda: b"text\n" + b"ab" * 530_000, {"data_line_too_long"}),
    "zeros": (lambda: bytes(900_000), {"data_is_binary"}),
    "parquet, nested maps": (
        lambda: saved(pa.table({"text": pa.array([{"a": {"b": {"c": ["x" * 1_000] * 900}}}] * 3)})),
        {READ, "data_cell_too_long"},
    ),
    "parquet, a struct of 2,500 fields": (
        lambda: saved(pa.table({"text": pa.array([{f"f{n}": 1 for n in range(2_500)}])})),
        {READ},
    ),
    "parquet, 40 levels": (lambda: saved(pa.table({"text": nested(40)})), {"data_json_deep"}),
    "parquet, 50,000 columns": (
        lambda: saved(pa.table({f"c{n}": pa.nulls(0, pa.string()) for n in range(9_000)}), store_schema=False),
        {"data_too_many_columns", "data_no_rows"},
    ),
    "parquet, nulls": (lambda: saved(pa.table({"text": pa.nulls(1_900_000, pa.string())})), {READ}),
    "parquet, a footer of 2 GB": (lambda: b"PAR1" + bytes(90_000) + b"\xff\xff\xff\x7fPAR1", {"data_damaged"}),
    "parquet, all in one page": (
        lambda: saved(repeated("x" * 60_000, 9_000), data_page_size=2**30, write_batch_size=9_000),
        {"data_decodes_too_large"},
    ),
    "workbook, wide": (lambda: workbook({f"{column}1": "x" for column in letters(3_000)}), {"data_too_many_columns"}),
    "workbook, doctype in the sheet": (
        lambda: workbook({"A1": "text"}, **{"xl/worksheets/sheet1.xml": ENTITIES}),
        {"data_xml_unsafe"},
    ),
    "workbook, entity in the styles": (
        lambda: workbook({"A1": "text"}, **{"xl/styles.xml": b"<!ENTITY a 'b'>"}),
        {"data_xml_unsafe"},
    ),
    "workbook, deep XML": (
        lambda: workbook({"A1": "text"}, **{"xl/sharedStrings.xml": b"<sst>" + b"<si>" * 200_000}),
        {READ, "data_damaged", "data_too_much_memory"},
    ),
    "workbook, a cell of 60 MB": (
        lambda: workbook({"A1": "text", "A2": "x" * 60_000_000}),
        {"data_cell_too_long", "data_too_much_memory"},
    ),
    "workbook, 200 sheets": (lambda: workbook(*[{"A1": "text", "A2": "x"}] * 200), {READ}),
    "workbook that holds itself": (
        lambda: workbook({"A1": "text"}, **{"xl/workbook.xml": b"<workbook><sheets>" + b"<sheet/>" * 90_000}),
        {"data_damaged", "data_no_rows"},
    ),
    "workbook, strings that point nowhere": (
        lambda: workbook({"A1": "text"}, **{"xl/worksheets/sheet1.xml": NOWHERE}),
        {READ, "data_damaged", "data_no_rows"},
    ),
    "zip of zeros": (lambda: zipped({"data.csv": bytes(100 * 2**20)}), {"data_is_binary"}),
    "zip of a gigabyte of rows": (lambda: huge("zip"), {"data_unpacks_too_large"}),
    "zip, lying sizes": (
        lambda: lying(zipped({"data.csv": ROWS * 1_000_000})),
        {"data_damaged", "data_unpacks_too_large", "data_no_rows"},
    ),
    "zip, members over one another": (lambda: overlapping(3_000), {"data_archive_many", "data_damaged"}),
    "zip, members over one another, fewer": (
        lambda: overlapping(900),
        {"data_unpacks_too_large", "data_damaged", "data_too_many_rows", "data_too_slow"},
    ),
    "zip in zip in zip": (
        lambda: zipped({"a.zip": zipped({"b.zip": zipped({"c.csv": bytes(100 * 2**20)})})}),
        {"data_archive_nested"},
    ),
    "zip that holds a gzip of zeros": (
        lambda: zipped({"a.csv.gz": gzip.compress(bytes(100 * 2**20))}),
        {"data_archive_nested"},
    ),
    "zip of a workbook of zeros": (
        lambda: zipped({"a.xlsx": zipped({**WORKBOOK, "xl/sharedStrings.xml": bytes(300 * 2**20)})}),
        {"data_decodes_too_large"},
    ),
    "zip of a Parquet dictionary": (
        lambda: zipped({"a.parquet": saved(repeated("x" * 65_536, 20_000))}),
        {"data_decodes_too_large"},
    ),
    "zip of names": (lambda: zipped({"n" * 500 + str(n): b"x" for n in range(900)}), {READ}),
    "zip of empty files": (lambda: zipped({f"{n}.csv": b"" for n in range(900)}), {"data_empty"}),
    "gzip of zeros": (lambda: gzip.compress(bytes(100 * 2**20)), {"data_is_binary"}),
    "gzip of a gigabyte of rows": (
        lambda: huge("gzip"),
        {"data_unpacks_too_large"},
    ),
    "gzips one after the other": (lambda: gzip.compress(ROWS * 20_000) * 60, {"data_too_many_rows"}),
    "gzip in gzip": (lambda: gzip.compress(gzip.compress(bytes(50 * 2**20))), {"data_archive_nested"}),
    "gzip of one line": (lambda: gzip.compress(b"text\n" + b"ab" * 40_000_000), {"data_line_too_long"}),
    "gzip of JSON without end": (
        lambda: gzip.compress(b'[{"a": "' + b"x" * 70_000_000),
        {"data_json_large", "data_too_large", "data_json_broken", "data_cell_too_long"},
    ),
    "gzip, a name of a megabyte": (lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 900_000, {"data_damaged"}),
    "deep strings": (lambda: b'[{"a": ' + b'"\\u0061' * 100_000 + b'"}]', {"data_json_broken", "data_no_rows"}),
    "a million keys": (
        lambda: b"{" + b",".join(b'"%x":1' % n for n in range(90_000)) + b"}\n" * 2,
        {"data_too_many_columns", "data_json_broken"},
    ),
    "UTF-16 without end": (
        lambda: b"\xff\xfe" + b"\x00\xd8" * 450_000,
        {READ, "data_all_broken", "data_is_binary", "data_line_too_long"},
    ),
    "UTF-32 of nothing": (
        lambda: b"\xff\xfe\x00\x00" + b"\xff" * 900_000,
        {READ, "data_is_binary", "data_line_too_long"},
    ),
    "CoNLL of one sentence": (lambda: b"word B-X\n" * 100_000, {READ, "data_cell_too_long"}),
}


def huge(form: str) -> bytes:
    """650 MB of rows, packed without ever being held."""
    out = io.BytesIO()
    if form == "gzip":
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
            for _ in range(650):
                file.write(LONG * 10)
        return out.getvalue()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.csv", "w") as member:
        for _ in range(650):
            member.write(LONG * 10)
    return out.getvalue()


def nested(levels: int) -> pa.Array:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return pa.array([value] * 3)


def letters(count: int) -> list[str]:
    """The first names of columns in a sheet: A ... Z, AA ..."""
    found = []
    for number in range(count):
        name = ""
        number += 1
        while number:
            number, rest = divmod(number - 1, 26)
            name = chr(65 + rest) + name
        found.append(name)
    return found


def overlapping(members: int) -> bytes:
    """A zip whose members all lie on the same bytes, as the quoted-overlap bombs do."""
    content = zipped({"0000.csv": ROWS * 200_000})
    start = content.find(b"PK\x01\x02")
    entry = content[start : content.find(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"0000.csv", b"%04d.csv" % n) for n in range(members))
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, members, members, len(entries), start, 0)
    return content[:start] + entries + end


def test_there_are_sixty_bombs() -> None:
    assert len(BOMBS) >= 60


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_read_within_the_limits(tmp_path: Path, name: str) -> None:
    make, codes = BOMBS[name]
    content = make()
    assert len(content) <= 1_100_000
    path = tmp_path / "dropped"
    path.write_bytes(content)
    workspace = Workspace.open(tmp_path / "home")
    before, start = psutil.Process().memory_info().rss, time.monotonic()
    try:
        import_file(workspace, OWNER, path, "dropped.csv")
        code = READ
    except UserError as error:
        code = error.code
    assert code in codes
    assert psutil.Process().memory_info().rss - before < 50 * 10**6
    assert time.monotonic() - start < 120
    assert tree(workspace.temporary) == []
    assert code == READ or tree(workspace.home / OWNER) == []
