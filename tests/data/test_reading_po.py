"""Translation catalogues: finished messages become rows, the rest is counted, a broken file is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_room import bring, read_bytes
from spoken import check_spoken

from studio.data import limits
from studio.errors import UserError
from studio.problem import Problem

HEAD = 'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: {plural}\\n"\n\n'
CHINESE = HEAD.format(language="zh_CN", plural="nplurals=1; plural=0;")
GERMAN = HEAD.format(language="de", plural="nplurals=2; plural=(n != 1);")
BODY = """
#: settings.py:3
msgid "Save"
msgstr "保存"

#, python-format
msgid ""
"Delete %(count)s "
"rows?\\n"
msgstr "删除 %(count)s 行？\\n"

#, fuzzy
msgid "Open"
msgstr "关闭"

msgid "Not yet"
msgstr ""

msgctxt "month"
msgid "May"
msgstr "五月"

msgid "one file"
msgid_plural "%d files"
msgstr[0] "%d 个文件"

#~ msgid "Old"
#~ msgstr "旧"
"""


def test_finished_messages_become_rows_and_the_rest_is_counted(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "django.po", (CHINESE + BODY).encode())
    assert made.profile["format"] == "po"
    assert made.names == ["source", "target", "context"]
    assert [(row["source"], row["target"]) for row in made.rows] == [
        ("Save", "保存"),
        ("Delete %(count)s rows?\n", "删除 %(count)s 行？\n"),
        ("May", "五月"),
        ("%d files", "%d 个文件"),
    ]
    assert [row["context"] for row in made.rows] == [None, None, "month", None]
    for code, text in (("data_po_fuzzy", "Open"), ("data_po_missing", "Not yet"), ("data_po_obsolete", "Old")):
        found = Problem.from_json(made.problem(code))
        assert (found.severity, found.count, found.values) == ("note", 1, {"text": text})
        assert text in found.text("zh")


def test_two_plural_forms_are_two_rows(tmp_path: Path) -> None:
    body = 'msgid "one file"\nmsgid_plural "%d files"\nmsgstr[0] "eine Datei"\nmsgstr[1] "%d Dateien"\n'
    made = read_bytes(tmp_path, "noname", (GERMAN + body).encode())
    assert made.rows == [
        {"source": "one file", "target": "eine Datei"},
        {"source": "%d files", "target": "%d Dateien"},
    ]


def test_a_catalogue_comes_through_the_limited_child(tmp_path: Path) -> None:
    many = "".join(f'msgid "word {number}"\nmsgstr "词 {number}"\n\n' for number in range(5000))
    version = bring(tmp_path / "home", "messages.po", CHINESE + many)
    assert version.rows == 5000


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ('msgid "a"\nmsgstr "b"\n\nmsgid "open\nmsgstr "c"\n', 10, 'msgid "open'),
        ('msgid "a"\nmsgstr[x] "b"\n\nmsgid "c"\nmsgstr "d"\n', 8, 'msgstr[x] "b"'),
    ],
)
def test_a_broken_catalogue_is_named_by_its_line(tmp_path: Path, body: str, line: int, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.po", (CHINESE + body).encode())
    check_spoken(caught.value, "data_po_broken", name="a.po", line=line, reason=reason)


def test_a_catalogue_that_cannot_be_read_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JSON_BYTES", 200)
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.po", (CHINESE + BODY).encode())
    size = round(len((CHINESE + BODY).encode()) / 1e6, 1)
    check_spoken(caught.value, "data_po_large", name="a.po", size=size, limit=0)


@pytest.mark.parametrize(
    "text",
    [
        "msgid is a word that gettext uses\nand msgstr is another\n",
        'text,label\n"msgid ""a""",x\n"msgstr ""b""",y\n',
    ],
)
def test_texts_about_catalogues_are_no_catalogues(tmp_path: Path, text: str) -> None:
    assert read_bytes(tmp_path, "a.txt", text.encode()).profile["format"] != "po"
