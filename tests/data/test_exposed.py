"""Personal data left in the data is told before a training starts: how many texts and of which kinds, never a bar."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_room import bring, tree

from studio.data import exposed
from studio.data.checks import check
from studio.data.exposed import redactable
from studio.data.findings import counted, diagnosis, examine
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.data.versions import Chosen, mend
from studio.spec import Split
from studio.workspace import Workspace

COLUMNS = {"text": "text", "label": "label"}
ROWS = [
    f"{text} {n},{'ab'[n % 2]}"
    for n in range(40)
    for text in (
        "a kettle that boils",
        "write to ann@mail.example" if n % 10 == 3 else "nothing here",
        "电话 13800138000" if n == 7 else "好的",
    )
]
KINDS = [("data.personal.email", {"count": 4}), ("data.personal.phone", {"count": 1})]


@pytest.fixture
def version(tmp_path: Path) -> DataVersion:
    return bring(tmp_path, "a.csv", "text,label\n" + "\n".join(ROWS) + "\n")


def test_what_is_left_is_counted_and_named(version: DataVersion):
    found = check(version, "classification", COLUMNS, Split())
    (problem,) = [one for one in found if one.code == "personal_data"]
    assert (problem.severity, problem.field, problem.count) == ("warning", "columns.text", 5)
    assert [[kind, dict(values)] for kind, values in problem.values["kinds_codes"]] == [list(kind) for kind in KINDS]
    assert "Found: e-mail (4) phone (1)." in problem.text("en")
    assert "邮箱（4）" in problem.text("zh")
    assert [number for number, _ in problem.examples] == [11, 24, 41, 71, 101]
    assert "ann@mail.example" in problem.examples[0][1]
    assert not [one for one in found if one.severity == "error"], "it never blocks"


def test_of_many_rows_some_are_looked_at_and_that_is_said(version: DataVersion, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exposed, "LOOKED_AT", 60)
    from studio.data.store import read_rows

    (problem,) = exposed.exposed(version, read_rows(version, COLUMNS), COLUMNS)
    assert problem.code == "personal_data_some"
    assert problem.values["looked"] == 60
    assert f"{problem.count} of 60 looked at" in problem.text("en")
    assert "60 段文本" in problem.text("zh")


def test_the_doctor_has_seen_all_and_its_word_counts(version: DataVersion, tmp_path: Path):
    use = Use("classification", COLUMNS)
    quick = check(version, "classification", COLUMNS, Split())
    assert counted(version, use, quick) == quick, "while it has not looked, the quick look stands"
    doctor = examine(Workspace.open(tmp_path / "home"), version, use)
    exact = [one for one in counted(version, use, quick) if one.code == "personal_data"]
    assert exact == [one.problem for one in doctor if one.problem.code == "personal_data"]
    assert [one.problem.code for one in diagnosis(version, use, doctor)].count("personal_data") == 1


def test_after_the_step_nothing_is_left(version: DataVersion, tmp_path: Path):
    home = Workspace.open(tmp_path / "home")
    assert redactable(version, COLUMNS)
    made = mend(home, version.owner, version, [Chosen("redact", {"columns": ["text"]})], Use("classification", COLUMNS))
    assert not [one for one in check(made, "classification", COLUMNS, Split()) if one.code.startswith("personal_data")]
    assert tree(home.temporary) == []


def test_conversations_are_looked_at_and_no_step_is_offered(tmp_path: Path):
    row = '{"messages": [{"role": "user", "content": "mail me: bob%d@mail.example"}, {"role": "assistant", "content": "done"}]}\n'
    version = bring(tmp_path, "chat.jsonl", "".join(row % n for n in range(20)))
    found = check(version, "chat", {"messages": "messages"}, Split())
    assert [one.count for one in found if one.code == "personal_data"] == [20]
    assert not redactable(version, {"messages": "messages"})


def test_labels_are_nobodys_prose(tmp_path: Path):
    text = "".join(f"a kettle {n},{'ann@mail.example' if n % 2 else 'bob@mail.example'}\n" for n in range(60))
    version = bring(tmp_path, "b.csv", "text,label\n" + text)
    assert not [one for one in check(version, "classification", COLUMNS, Split()) if one.code == "personal_data"]
