"""Files of every format with bits flipped, parts cut out, doubled or moved: each is read or refused with a sentence, none
ends the reader, and nothing is written beside what the reader was given."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_room import sheet_of, tree, workbook, zipped

from studio import child
from studio.data.process import QUIET
from studio.errors import UserError
from studio.words import LANGUAGES

pytestmark = pytest.mark.slow
EACH = 40
"""Mutants of each format."""
TEXTS = [
    "a plain sentence",
    "味道很好，下次还来",
    'with "quotes", commas; and\ttabs',
    "line\nbreak",
    "<b>café</b> 👍",
    "00123",
]
ROWS = [(text + f" {turn}", "好评" if turn % 2 else "bad", str(turn)) for turn in range(6) for text in TEXTS]
NAMES = ("text", "label", "id")


def _csv() -> bytes:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (NAMES, *ROWS)]
    return "\r\n".join(quoted).encode("utf-8-sig")


def _json_lines() -> bytes:
    return "\n".join(json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) for row in ROWS).encode()


def _json() -> bytes:
    nested = [{**dict(zip(NAMES, row, strict=True)), "more": {"a": [1, None, 2.5, row[0]]}} for row in ROWS]
    return json.dumps({"data": nested}, ensure_ascii=False, indent=1).encode()


def _parquet() -> bytes:
    out = io.BytesIO()
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(NAMES)}
    table = pa.table({**columns, "number": list(range(len(ROWS))), "list": [["x", text] for text, *_ in ROWS]})
    pq.write_table(table, out, row_group_size=10)
    return out.getvalue()


def _workbook() -> bytes:
    return workbook(sheet_of([list(NAMES), *map(list, ROWS)]))


def _conll() -> bytes:
    sentence = "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n"
    return (sentence + "\n" + "王 B-PER\n明 I-PER\n来 O\n\n").encode() * 12


FORMATS: dict[str, Callable[[], bytes]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "json": _json,
    "parquet": _parquet,
    "xlsx": _workbook,
    "conll": _conll,
    "zip": lambda: zipped({"one.csv": _csv(), "two.jsonl": _json_lines()}),
    "gz": lambda: gzip.compress(_csv()),
}
NASTY = [b"\x00", b'"', b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud800", b"1e999", b"[" * 60, b'{"a":' * 60, b"\r", b"\n\n", b",", b"-1"]  # fmt: skip
NASTY += [
    b"NaN",
    b"\xf0\x9f",
    b"\x80\x04",
    b"\x1a",
    b"\xe2\x80\xae",
    b"PK\x03\x04",
    b"9" * 400,
    b"\x7f\xff\xff\xff",
    b"\t" * 3_000,
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """One to four changes, each of a kind that real files suffer or an attacker would try."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place, length = chance.randrange(max(1, len(data))), chance.choice((1, 2, 8, 64, 700))
        piece = bytes(data[place : place + length])
        kind = chance.randrange(7)
        if kind == 0:
            for _ in range(length):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = piece * chance.choice((1, 3, 200))
        elif kind == 3:
            data[place:place] = chance.choice(NASTY)
        elif kind == 4:
            data[place : place + length] = chance.randbytes(length)
        elif kind == 5:
            data[place : place + length] = chance.choice((b"\x00", b"\xff")) * length
        else:
            del data[max(1, place) :]
        data = data or bytearray(b"\n")
    return bytes(data)


def inside(content: bytes, chance: random.Random) -> bytes:
    """A zip one of whose members was mutated, so that its checksum holds and the XML is what is wrong."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = chance.choice(sorted(members))
    return zipped({**members, chosen: mutated(members[chosen], chance)})


@pytest.mark.parametrize("form", FORMATS)
def test_mutated_files_are_read_or_refused_with_a_sentence(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    whole = FORMATS[form]()
    for turn in range(EACH):
        chance = random.Random(f"{form} {turn}")
        change = inside if form in ("xlsx", "zip") and turn % 2 else mutated
        (folder / f"{turn:03d}.{form}").write_bytes(whole if not turn else change(whole, chance))
    before = tree(tmp_path)
    script = str(Path(__file__).with_name("read_many.py"))
    done = subprocess.run(
        [child.command("x")[0], script, str(folder)],
        env=child.environment(**QUIET),
        capture_output=True,
        text=True,
        timeout=280,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    ended = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(ended) == EACH
    assert {name: status for name, status in ended.items() if status} == {}, done.stderr[-3000:]
    refused = set()
    for name in ended:
        last = json.loads((folder / f"{name}.told").read_text().splitlines()[-1])
        if "error" in last:
            refused.add(last["error"])
            check_plain(UserError(last["error"], **last["values"]))
        else:
            assert last["done"]["rows"] > 0
    assert "done" in json.loads((folder / f"000.{form}.told").read_text().splitlines()[-1]), "unchanged it is read"
    assert refused
    written = {Path(entry).name for entry in tree(tmp_path) if entry not in before}
    assert written <= {f"{name}.{end}" for name in ended for end in ("made", "told")} | {"rows.parquet", "profile.json"}


def check_plain(error: UserError) -> None:
    """Three sentences of the catalogue in each language, all blanks filled, nothing of Python's in them."""
    for language in LANGUAGES:
        parts = error.parts(language)
        assert len(parts) == 3
        for part in parts:
            assert part.strip()
            assert not any(mark in part for mark in ("Traceback", "Error(", "<class", 'File "')), part
