"""Versions made by steps: real children, the same steps the same version, undone, compared, deleted, exported."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from reading_room import OWNER, bring, tree
from spoken import check_spoken

from studio.data import process, versions
from studio.data.exporting import export
from studio.data.mending import Chosen, Source
from studio.data.paging import View, count
from studio.data.store import DataVersion, list_versions, read_rows
from studio.data.use import Use, save_use, saved_use
from studio.data.versions import changes_of, compare, delete, family, make, mend, preview, purge, restore, undo
from studio.errors import UserError
from studio.workspace import Workspace

CSV = "text,label\n<b>one</b>,a\ntwo  words,b\nthree,b\n,a\ntwo  words,b\n"
MARKUP, SPACE = Chosen("markup", {"columns": ["text"]}), Chosen("whitespace", {"columns": ["text"]})
BLANK, TWICE = Chosen("drop_blank", {"columns": ["text"]}), Chosen("drop_duplicates")


@pytest.fixture
def room(tmp_path: Path) -> tuple[Workspace, DataVersion]:
    version = bring(tmp_path / "w", "a.csv", CSV)
    return Workspace.open(tmp_path / "w" / "home"), version


def texts(version: DataVersion) -> list[str | None]:
    return [row["text"] for row in read_rows(version, {"text": "text"})]


def test_steps_make_a_version_that_says_how_it_was_made(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    heard: list[tuple[int, int]] = []
    made = mend(workspace, OWNER, root, [MARKUP, BLANK, SPACE, TWICE], emit=lambda *at: heard.append(at))
    assert texts(made) == ["one", "two words", "three"]
    assert texts(root) == ["<b>one</b>", "two  words", "three", None, "two  words"], "a version never changes"
    told = [(step["step"], step["changed"], step["dropped"]) for step in made.steps]
    assert told == [("markup", 1, 0), ("drop_blank", 0, 1), ("whitespace", 2, 0), ("drop_duplicates", 0, 1)]
    assert (made.root, made.parent, made.name, made.rows) == (root.version, root.version, "a.csv", 3)
    assert (Source(made.folder).origins() + 1).tolist() == [1, 2, 3]
    assert [example["row"] for example in changes_of(made)[3]] == [5]
    assert made.profile()["rows"] == 3
    assert count(made, View("two")) == 1
    source = json.loads((made.folder / "source.json").read_text())
    assert source["who"] == OWNER
    assert len(source["sha256"]) == 64
    assert heard[-1][0] == heard[-1][1]
    assert tree(workspace.temporary) == []


def test_the_same_steps_are_the_same_version_and_undo_finds_what_was_there(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    once = mend(workspace, OWNER, root, [MARKUP])
    twice = mend(workspace, OWNER, once, [BLANK])
    assert twice.parent == once.version
    whole = mend(workspace, OWNER, root, [MARKUP, BLANK])
    assert whole.version == twice.version
    assert mend(workspace, OWNER, root, [Chosen("markup", {"columns": "text"})]).version == once.version
    assert undo(workspace, OWNER, twice).version == once.version
    assert undo(workspace, OWNER, once).version == root.version
    with pytest.raises(UserError) as caught:
        undo(workspace, OWNER, root)
    check_spoken(caught.value, "nothing_to_undo", name="a.csv")
    other = make(workspace, OWNER, twice, [BLANK, MARKUP])
    assert other.version != twice.version
    assert texts(other) == texts(twice)
    assert [one.version for one in family(workspace, twice)][0] == root.version
    assert {one.version for one in family(workspace, root)} == {
        root.version, once.version, twice.version, other.version,
    }  # fmt: skip
    assert mend(workspace, "bob", root, [MARKUP]).version != once.version, "nobody learns what others have"


def test_the_use_goes_along_while_its_columns_do(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    use = Use("classification", {"text": "text", "label": "label"})
    made = mend(workspace, OWNER, root, [MARKUP], use)
    assert saved_use(workspace, OWNER, made.version) == use
    save_use(workspace, OWNER, root.version, use)
    assert saved_use(workspace, OWNER, mend(workspace, OWNER, root, [BLANK]).version) == use
    bare = mend(workspace, OWNER, root, [Chosen("drop_columns", {"columns": ["label"]})])
    assert saved_use(workspace, OWNER, bare.version) is None


def test_a_preview_keeps_nothing(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    before = tree(workspace.home)
    told = preview(workspace, root, TWICE)
    assert (told["rows"], told["dropped"], told["examples"][0]["row"]) == (4, 1, 5)
    assert tree(workspace.home) == before


def test_two_versions_are_compared(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    made = mend(workspace, OWNER, root, [MARKUP, BLANK, TWICE])
    told = compare(workspace, root, made)
    counts = {key: told[key] for key in ("before", "after", "same", "changed", "dropped", "added")}
    assert counts == {"before": 5, "after": 3, "same": 2, "changed": 1, "dropped": 2, "added": 0}
    assert {"row": 1, "column": "text", "before": "<b>one</b>", "after": "one"} in told["examples"]
    back = compare(workspace, made, root)
    assert (back["added"], back["dropped"], back["changed"]) == (2, 0, 1)


def test_strangers_are_compared_by_content(room: tuple[Workspace, DataVersion], tmp_path: Path):
    workspace, root = room
    other = bring(tmp_path / "w", "b.csv", "label,text\nb,three\nc,four\n")
    told = compare(workspace, root, other)
    assert (told["same"], told["changed"], told["dropped"], told["added"]) == (1, 0, 4, 1)


def test_what_is_used_stays_and_what_is_deleted_comes_back(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    made = mend(workspace, OWNER, root, [MARKUP])
    with pytest.raises(UserError) as caught:
        delete(workspace, made, ["my run"])
    check_spoken(caught.value, "version_used", name="a.csv", count=1, runs=["my run"])
    with pytest.raises(UserError) as caught:
        delete(workspace, root, [])
    check_spoken(caught.value, "version_has_children", name="a.csv", count=1)
    delete(workspace, made, [])
    assert [one.version for one in list_versions(workspace)] == [root.version]
    assert restore(workspace, OWNER, made.version).version == made.version
    delete(workspace, made, [])
    assert mend(workspace, OWNER, root, [MARKUP]).version == made.version, "made again, it is the one that was there"
    delete(workspace, made, [])
    assert purge(workspace, 3600.0) == 0
    aside = made.folder.parent / versions.DELETED / made.version
    os.utime(aside, (1, 1))
    assert purge(workspace, 3600.0) == 1
    assert not aside.exists()
    with pytest.raises(UserError) as caught:
        restore(workspace, OWNER, made.version)
    assert caught.value.code == "data_unknown"


def test_too_many_steps_and_steps_that_fail_leave_nothing(room: tuple[Workspace, DataVersion]):
    workspace, root = room
    before = tree(workspace.home)
    with pytest.raises(UserError) as caught:
        mend(workspace, OWNER, root, [MARKUP] * 101)
    check_spoken(caught.value, "steps_many", count=101, most=100)
    with pytest.raises(UserError) as caught:
        mend(workspace, OWNER, root, [MARKUP, Chosen("keep_value", {"column": "text", "value": "?"})])
    assert caught.value.code == "step_no_rows"
    assert tree(workspace.home) == before


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "work_too_much_memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "work_too_slow"),
        ("raise SystemExit(3)", "work_broke"),
    ],
)
def test_how_the_child_ends_is_told(
    room: tuple[Workspace, DataVersion], monkeypatch: pytest.MonkeyPatch, script: str, code: str
):
    workspace, root = room
    before = tree(workspace.home)
    ends = [process.child.command("x")[0], "-c", script]
    monkeypatch.setattr(process.child, "command", lambda *arguments: ends)
    with pytest.raises(UserError) as caught:
        mend(workspace, OWNER, root, [MARKUP])
    assert caught.value.code == code
    assert all(caught.value.parts("zh"))
    assert tree(workspace.home) == before


def test_every_form_of_export_holds_all_rows(tmp_path: Path):
    nasty = ["=1+2", "@SUM(A1)", "-5", "+3.5%", "-x", "\tx", 'a,"b"\nc', "你好", None, " =x"]
    rows = "\n".join(json.dumps({"text": text, "=label": "a"}, ensure_ascii=False) for text in nasty)
    version = bring(tmp_path / "w", "a.jsonl", rows)
    told = b"".join(export(version, "csv")).decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(told)))
    assert table[0] == ["text", "'=label"]
    wanted = ["'=1+2", "'@SUM(A1)", "-5", "+3.5%", "'-x", "'\tx", 'a,"b"\nc', "你好", "", "' =x"]
    assert [row[0] for row in table[1:]] == wanted
    lines = [json.loads(line) for line in b"".join(export(version, "jsonl")).decode().splitlines()]
    assert [line["text"] for line in lines] == nasty
    whole = pq.read_table(io.BytesIO(b"".join(export(version, "parquet"))))
    assert whole.column("text").to_pylist() == nasty
