"""Several files, archives and pasted rows: put one after the other, never unpacked to where their names say, and refused
with a sentence."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from reading_room import OWNER, sheet_of, tree, workbook, zipped
from spoken import check_spoken

from studio.data import child, limits
from studio.data.archives import is_beside
from studio.data.importing import import_file, import_files, import_text
from studio.data.store import read_rows
from studio.errors import UserError
from studio.workspace import Workspace

CSV = b"text,label\n" + b"".join(b"sentence number %d,%s\n" % (n, b"ab"[n % 2 : n % 2 + 1]) for n in range(20))
TSV = "label\ttext\n" + "\n".join(f"{'ab'[n % 2]}\t味道很好，下次还来 {n}" for n in range(15))
LINES = "\n".join(json.dumps({"text": f"line {n}", "label": "c"}) for n in range(10)).encode()


def read_in(folder: Path, *files: tuple[str, bytes]) -> tuple[list[dict[str, str | None]], dict[str, object]]:
    """Rows and profile of files read together, without a child process."""
    import pyarrow.parquet as pq

    pairs = []
    for number, (name, content) in enumerate(files):
        path = folder / f"given-{number}"
        path.write_bytes(content)
        pairs.append((path, name))
    made = folder / "made"
    made.mkdir(exist_ok=True)
    child.read_all(pairs, "whole", made)
    assert tree(made) == ["profile.json", "rows.parquet"], "nothing that was unpacked stays"
    return pq.read_table(made / "rows.parquet").to_pylist(), json.loads((made / "profile.json").read_text("utf-8"))


def refused(folder: Path, code: str, *files: tuple[str, bytes], **values: object) -> None:
    with pytest.raises(UserError) as caught:
        read_in(folder, *files)
    check_spoken(caught.value, code, **values)


def test_files_of_several_forms_with_the_same_columns_are_one_table(tmp_path: Path) -> None:
    sheet = workbook(sheet_of([["text", "label"], ["a cell", "d"]]))
    rows, profile = read_in(
        tmp_path, ("one.csv", CSV), ("二.tsv", TSV.encode("gb18030")), ("t.jsonl", LINES), ("x.xlsx", sheet)
    )
    assert len(rows) == 20 + 15 + 10 + 1
    assert rows[0] == {"text": "sentence number 0", "label": "a", "file": "one.csv"}
    assert rows[20] == {"text": "味道很好，下次还来 0", "label": "a", "file": "二.tsv"}
    assert rows[-1] == {"text": "a cell", "label": "d", "file": "x.xlsx"}
    assert profile["format"] == "csv + tsv + jsonl + xlsx"
    assert profile["encoding"] == "utf-8 + gb18030"


def test_a_column_called_file_keeps_its_name(tmp_path: Path) -> None:
    rows, _ = read_in(tmp_path, ("a.csv", b"text,file\none,x\ntwo,y\n"), ("b.csv", b"text,file\nthree,z\nfour,z\n"))
    assert rows[-1] == {"text": "four", "file": "z", "file_2": "b.csv"}


def test_different_columns_are_named(tmp_path: Path) -> None:
    refused(
        tmp_path, "data_columns_differ", ("a.csv", CSV), ("b.csv", CSV.replace(b"label", b"kind")),
        first="a.csv", columns=["text", "label"], second="b.csv", others=["text", "kind"],
    )  # fmt: skip


def test_limits_hold_for_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROWS", 30)
    refused(tmp_path, "data_too_many_rows", ("a.csv", CSV), ("b.csv", CSV), name="b.csv", limit=30)


def test_an_archive_of_one_file_is_that_file(tmp_path: Path) -> None:
    for name, content in (("a.zip", zipped({"deep/in/data.csv": CSV})), ("data.csv.gz", gzip.compress(CSV))):
        folder = tmp_path / name
        folder.mkdir()
        rows, profile = read_in(folder, (name, content))
        assert rows[1] == {"text": "sentence number 1", "label": "b"}
        assert (len(rows), profile["format"]) == (20, "csv")


def test_an_archive_of_several_files_names_them_and_passes_over_what_is_no_data(tmp_path: Path) -> None:
    beside = {
        "README.md": b"# hello",
        "__MACOSX/._train.csv": b"\x00\x05",
        ".DS_Store": b"\x00",
        "cover.png": b"\x89PNG",
        "LICENSE": b"MIT",
    }
    packed = zipped({**beside, "train.csv": CSV, "测试/test.jsonl": LINES})
    rows, _ = read_in(tmp_path, ("set.zip", packed))
    assert {row["file"] for row in rows} == {"train.csv", "测试/test.jsonl"}
    assert len(rows) == 30
    folder = tmp_path / "more"
    folder.mkdir()
    rows, _ = read_in(folder, ("set.zip", packed), ("b.csv", CSV))
    assert {row["file"] for row in rows} == {"set.zip/train.csv", "set.zip/测试/test.jsonl", "b.csv"}


def test_names_of_chinese_systems_in_an_archive_are_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("训练.csv", "测试.csv"):
            # As written by old programs: the bytes of the system's encoding, not marked as UTF-8.
            one = zipfile.ZipInfo("x")
            one.filename = name.encode("gb18030").decode("cp437")
            archive.writestr(one, CSV)
    content = bytearray(out.getvalue())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        for one in archive.infolist():
            marked = one.orig_filename.encode()
            plain = one.orig_filename.encode("cp437")
            content = content.replace(marked, plain + b" " * (len(marked) - len(plain)))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        place = content.find(mark)
        while place >= 0:
            content[place + (6 if mark[2] == 3 else 8) + 1] = 0
            place = content.find(mark, place + 1)
    rows, _ = read_in(tmp_path, ("set.zip", bytes(content)))
    assert {row["file"] for row in rows} == {"训练.csv", "测试.csv"}


NAMES = [
    "../../evil.csv",
    "/etc/passwd.csv",
    "..\\..\\evil.csv",
    "C:\\x.csv",
    "a/../../../b.csv",
    "x" * 300 + ".csv",
    "\u202egpj.csv",
    "CON",
    "~/.x/y.csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_members_name_is_no_path(tmp_path: Path, name: str) -> None:
    home = Workspace.open(tmp_path / "home")
    path = tmp_path / "given.zip"
    path.write_bytes(zipped({name: CSV, "other.csv": CSV}))
    before = tree(tmp_path)
    try:
        made = import_file(home, OWNER, path, "given.zip")
        files = {row["file"] for row in read_rows(made, {"file": "file"})} if "file" in made.columns else set()
        assert all(file and len(file) <= 120 and not set(file) & set("\\\x00\u202e") for file in files)
    except UserError as error:
        assert error.code.startswith("data_")  # noqa: PT017
    new = [entry for entry in tree(tmp_path) if entry not in before]
    assert all(entry.startswith(f"home/{OWNER}") for entry in new)
    assert tree(home.temporary) == []


def link_to(target: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        one = zipfile.ZipInfo("data.csv")
        one.external_attr = 0o120777 << 16
        archive.writestr(one, target)
    return out.getvalue()


def locked(content: bytes) -> bytes:
    """The archive with the mark of a password on its first member."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[changed.find(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def test_what_is_not_opened_says_why(tmp_path: Path) -> None:
    inner = zipped({"data.csv": CSV})
    refused(tmp_path, "data_archive_nested", ("a.zip", zipped({"in.zip": inner})), name="a.zip", member="in.zip")
    refused(tmp_path, "data_archive_nested", ("a.gz", gzip.compress(inner)), name="a.gz", member="a")
    refused(tmp_path, "data_archive_nested", ("a.zip", zipped({"b.csv.gz": gzip.compress(CSV)})), name="a.zip", member="b.csv.gz")  # fmt: skip
    refused(tmp_path, "data_archive_locked", ("a.zip", locked(inner)), name="a.zip")
    refused(tmp_path, "data_archive_empty", ("a.zip", zipped({"notes.pdf": b"%PDF"})), name="a.zip", members=["notes.pdf"])  # fmt: skip
    refused(tmp_path, "data_archive_empty", ("a.zip", link_to("/etc/passwd")), name="a.zip", members=["data.csv"])
    refused(tmp_path, "data_archive_empty", ("a.zip", zipped({})), name="a.zip", members=["-"])
    many = zipped({f"{n}.csv": b"" for n in range(limits.ARCHIVE_MEMBERS + 1)})
    refused(tmp_path, "data_archive_many", ("a.zip", many), name="a.zip", count=1_001, limit=1_000)
    refused(tmp_path, "data_is_archive", ("a.tar", b"\x00" * 257 + b"ustar" + b"\x00" * 250), name="a.tar")
    refused(tmp_path, "data_damaged", ("a.csv.gz", gzip.compress(CSV)[:-9]), name="a.csv.gz", reason="Compressed file ended before the end-of-stream marker was reached")  # fmt: skip


def test_unpacking_stops_at_real_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 3 * 10**6)
    zeros = b"text\n" + b"a\n" * 1_000_000
    refused(tmp_path, "data_unpacks_too_large", ("a.zip", zipped({"1.csv": zeros, "2.csv": zeros})), name="a.zip", limit=3)  # fmt: skip
    refused(tmp_path, "data_unpacks_too_large", ("a.gz", gzip.compress(zeros * 2)), name="a.gz", limit=3)


@pytest.mark.parametrize(("name", "beside"), [("train.csv", False), ("data/readme.csv", True), ("a/.hidden", True), ("zh.txt", False), ("dev", False), ("x.json", False)])  # fmt: skip
def test_what_is_taken_for_data(name: str, beside: bool) -> None:
    assert is_beside(name) is beside


def test_several_files_through_the_child_are_a_version_of_their_own(tmp_path: Path) -> None:
    home = Workspace.open(tmp_path / "home")
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "b.zip").write_bytes(zipped({"b.jsonl": LINES}))
    files = [(tmp_path / "a.csv", "a.csv"), (tmp_path / "b.zip", "../b.zip")]
    heard: list[tuple[int, int]] = []
    made = import_files(home, OWNER, files, lambda done, total: heard.append((done, total)))
    assert (made.name, made.rows, made.columns) == ("a.csv + 1", 30, ("text", "label", "file"))
    assert all(0 <= done <= total for done, total in heard)
    assert import_files(home, OWNER, files).version == made.version
    renamed = [(tmp_path / "a.csv", "other.csv"), files[1]]
    assert import_files(home, OWNER, renamed).version != made.version, "names stand in a column"
    assert import_file(home, OWNER, *files[0]).version != made.version
    assert tree(home.temporary) == []
    with pytest.raises(UserError) as caught:
        import_files(home, OWNER, files * 501)
    check_spoken(caught.value, "data_files_many", count=1_002, limit=1_000)


@pytest.mark.parametrize(
    ("text", "columns", "rows", "form"),
    [
        (CSV.decode(), ("text", "label"), 20, "csv"),
        (TSV, ("label", "text"), 15, "tsv"),
        (LINES.decode(), ("text", "label"), 10, "jsonl"),
        ("a plain line\nanother one\n\n第三行\n", ("text",), 3, "txt"),
        ("great kettle;good\nbroke at once;bad\nnice lid;good\n", ("column_1", "column_2"), 3, "csv"),
    ],
)
def test_pasted_rows_are_recognised(tmp_path: Path, text: str, columns: tuple[str, ...], rows: int, form: str) -> None:
    home = Workspace.open(tmp_path / "home")
    made = import_text(home, OWNER, text, "Pasted: text,label")
    assert (made.name, made.columns, made.rows) == ("Pasted: text,label", columns, rows)
    assert made.profile()["format"] == form
    assert tree(home.temporary) == []


def test_what_is_no_paste(tmp_path: Path) -> None:
    home = Workspace.open(tmp_path / "home")
    with pytest.raises(UserError) as caught:
        import_text(home, OWNER, " \n\t ", "x")
    check_spoken(caught.value, "data_paste_empty")
    with pytest.raises(UserError) as caught:
        import_text(home, OWNER, "x" * (limits.PASTED_CHARACTERS + 1), "x")
    check_spoken(caught.value, "data_paste_long", limit=1_000_000)
    assert tree(home.temporary) == []
