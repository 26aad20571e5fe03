"""Small files made to hurt, through the real child: each is refused with its sentence or read within the limits, and
neither this process nor the workspace grows."""

from __future__ import annotations

import gzip
import io
import json
import time
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
    "zip of zeros": (lambda: zipped({"data.csv": bytes(100 * 2**20)}), {"data_is_archive"}),
    "gzip of zeros": (lambda: gzip.compress(bytes(100 * 2**20)), {"data_is_archive"}),
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
}


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
