"""Plain text: paragraphs where lines were broken at a fixed width, lines where each is a text of its own."""

from __future__ import annotations

import textwrap
from pathlib import Path

from reading_room import read_bytes

from studio.data.paragraphs import joined
from studio.problem import Problem

WORDS = "the quick brown fox jumps over the lazy dog while rain falls softly on every roof in town".split()
ENGLISH = [" ".join(WORDS[(place + step) % len(WORDS)] for step in range(60)) + "." for place in range(6)]
CHINESE = [
    "春天来了，山上的雪慢慢融化，小溪又开始唱歌，孩子们跑到田野里放风筝，老人坐在门前晒太阳。" * 3 for _ in range(5)
]


def test_lines_broken_at_a_width_become_paragraphs(tmp_path: Path) -> None:
    for texts, width in ((ENGLISH, 72), (CHINESE, 35)):
        content = "\n\n".join(textwrap.fill(text, width) for text in texts)
        made = read_bytes(tmp_path, "book.txt", content.encode())
        assert [row["text"] for row in made.rows] == texts
        assert made.profile["format"] == "txt"
        found = Problem.from_json(made.problem("data_paragraphs"))
        assert (found.severity, found.count) == ("note", len(texts))
        assert str(len(texts)) in found.text("zh")


def test_a_text_a_line_stays_a_row_a_line(tmp_path: Path) -> None:
    lines = [" ".join(WORDS[: 1 + (place * 7) % 17]) + "!" for place in range(60)]
    made = read_bytes(tmp_path, "lines.txt", "\n".join([*lines[:30], "", *lines[30:]]).encode())
    assert [row["text"] for row in made.rows] == lines
    assert made.profile["problems"] == []


def test_lines_join_as_their_writing_does() -> None:
    assert joined(["one two ", "three"]) == "one two three"
    assert joined(["春天来了，", "山上的雪"]) == "春天来了，山上的雪"
    assert joined(["GPU", "显卡", "and more"]) == "GPU 显卡 and more"
