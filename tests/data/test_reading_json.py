"""JSON Lines and JSON documents: shapes, broken lines, depth, numbers as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading_room import read_bytes
from spoken import check_spoken

from studio.errors import UserError

ROWS = [{"text": "one two", "label": "a"}, {"text": "three", "label": "b"}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"data": ROWS, "version": 1}),
        json.dumps({"text": ["one two", "three"], "label": ["a", "b"]}),
        json.dumps({"text": {"0": "one two", "1": "three"}, "label": {"0": "a", "1": "b"}}),
        json.dumps({"0": ROWS[0], "1": ROWS[1]}),
        "\n".join(map(json.dumps, ROWS)),
        "\ufeff" + "\n\n".join(map(json.dumps, ROWS)) + "\n",
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.txt"])
def test_every_shape_of_a_table(tmp_path: Path, content: str, name: str) -> None:
    made = read_bytes(tmp_path, name, content.encode())
    assert made.rows == ROWS


def test_values_keep_their_writing_and_nested_ones_become_json(tmp_path: Path) -> None:
    line = '{"a": 1.0, "b": 1e5, "c": 123456789012345678901234567890, "d": true, "e": null, "f": {"x": [1, "é"]}, "g": NaN}'
    made = read_bytes(tmp_path, "a.jsonl", f"{line}\n{line}\n".encode())
    expected = {"a": "1.0", "b": "1e5", "c": "123456789012345678901234567890", "d": "true", "e": None}
    assert made.rows[0] == {**expected, "f": '{"x":[1,"é"]}', "g": "NaN"}


def test_keys_that_come_later_become_columns(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.jsonl", b'{"text": "x"}\n{"text": "y", "label": "b"}\n')
    assert made.rows == [{"text": "x", "label": None}, {"text": "y", "label": "b"}]


def test_broken_lines_are_told_and_left_out(tmp_path: Path) -> None:
    deep = '{"text": ' + "[" * 40 + "]" * 40 + "}"
    abyss = '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}"
    digits = '{"text": ' + "9" * 5_000 + "}"
    lines = ['{"text": "fine"}', '{"text": "cut', "[1, 2]", deep, abyss, digits, '{"text": "fine too"}']
    made = read_bytes(tmp_path, "a.jsonl", "\n".join(lines).encode())
    assert [row["text"] for row in made.rows] == ["fine", "fine too"]
    assert [row[0] for row in made.problem("data_broken_json")["examples"]] == [2, 6]
    assert made.problem("data_broken_object")["examples"][0][0] == 3
    assert [row[0] for row in made.problem("data_broken_deep")["examples"]] == [4, 5]


def test_half_a_surrogate_is_told_not_fatal(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.jsonl", b'{"text": "half \\ud83d one"}\n{"text": "whole"}\n')
    assert made.rows[0]["text"] == "half \ufffd one"
    assert made.problem("data_damaged_characters")["count"] == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('[{"text": "a"}, {"text": ', "data_json_broken"),
        ('{"text": "a"', "data_json_broken"),
        ("[" * 100_000, "data_json_deep"),
        ('[{"text": ' + "[" * 5_000 + "]" * 5_000 + "}]", "data_json_deep"),
        ("[1, 2, 3]", "data_all_broken"),
        ("[]", "data_no_rows"),
        ("{}", "data_no_rows"),
    ],
)
def test_documents_that_are_no_table(tmp_path: Path, content: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "a.json", content.encode())
    assert caught.value.code == code


def test_a_document_too_large_to_be_read_whole_is_sent_to_json_lines(tmp_path: Path) -> None:
    row = json.dumps({"text": "x" * 10_000, "label": "a"})
    content = f"[{', '.join([row] * 6_600)}]".encode()
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, "whole.json", content)
    check_spoken(caught.value, "data_json_large", name="whole.json", size=round(len(content) / 1e6, 1), limit=64)
    assert len(read_bytes(tmp_path, "lines.jsonl", f"{row}\n".encode() * 20).rows) == 20


def test_a_million_columns_spread_over_lines(tmp_path: Path) -> None:
    content = "\n".join(json.dumps({f"c{n}": "x"}) for n in range(3_000))
    with pytest.raises(UserError, match="2001 columns"):
        read_bytes(tmp_path, "a.jsonl", content.encode())


def test_a_bracket_at_the_start_does_not_make_a_csv_json(tmp_path: Path) -> None:
    made = read_bytes(
        tmp_path, "a.csv", b"[deleted] by the user,spam\n[removed] for a reason,spam\nfine words,ham\n" * 3
    )
    assert made.profile["format"] == "csv"
    assert len(made.rows) == 9


def test_half_a_character_in_a_name_or_a_cell_is_marked(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.jsonl", b'{"te\\ud800xt": "good \\ud83d day", "label": "a"}\n' * 3)
    assert found.names == ["te\ufffdxt", "label"]
    assert found.rows[0]["te\ufffdxt"] == "good \ufffd day"
