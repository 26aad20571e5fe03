"""Each step on its own: what it changes, what it leaves alone, and what it refuses with a sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from workbench import mended

from studio.data.mending import Chosen
from studio.data.steps.base import steps
from studio.errors import UserError
from studio.options import options_of
from studio.words import has

EDITS: list[tuple[str, dict[str, Any], str, str]] = [
    ("mojibake", {}, "cafÃ© crÃ¨me", "café crème"),
    ("mojibake", {}, "ä½\xa0å¥½", "你好"),
    ("mojibake", {}, "naïve café, 你好", "naïve café, 你好"),
    ("unicode", {}, "cafe\u0301", "café"),
    ("unicode", {"form": "NFKC"}, "Ｆｕｌｌ ﬁt", "Full fit"),
    ("markup", {}, "<p>One<br>two</p> <b class='x'>three</b>", "One two three"),
    ("markup", {}, "fish &amp; chips &amp;quot;fresh&amp;quot; &#20320;&#22909;", 'fish & chips "fresh" 你好'),
    ("markup", {}, "I <3 this, 2 < 3 > 1, <name> said AT&T; x", "I <3 this, 2 < 3 > 1, <name> said AT&T; x"),
    ("markup", {}, "a<script>alert(1)</script>b<!-- note -->c", "abc"),
    ("control", {}, "a\x00b\u200bc\u202ed\ufeffe\ufffd\n", "abcde\n"),
    ("control", {}, "👩\u200d👧 می\u200cخواهم", "👩\u200d👧 می\u200cخواهم"),
    ("whitespace", {}, "  a \t b\u3000c \r\n\n\n\n d ", "a b c\n\nd"),
    ("whitespace", {"keep_lines": False}, "a\n b", "a b"),
    ("lowercase", {}, "GREAT Ärger 你好", "great ärger 你好"),
    ("urls", {}, "see https://a.example/x?y=1, or www.b.example now", "see , or now"),
    ("urls", {"instead": "URL"}, "见https://a.example/x。好", "见URL。好"),
    ("urls", {}, "no  address here ", "no  address here "),
    ("emojis", {}, "good 👍🏽 day ☀️", "good  day "),
    ("emojis", {"emoji_as": "english"}, "good 👍", "good :thumbs_up:"),
    ("punctuation", {}, "Well... don't pay 3.5 (really)!", "Well don't pay 3.5 really"),
    ("punctuation", {}, "很好，下次再来！", "很好 下次再来"),
    ("stopwords", {}, "This is the best kettle", "kettle"),
    ("stopwords", {"language": "zh"}, "我的目的地是北京", "目的地北京"),
    ("stopwords", {"language": "de"}, "Das ist ein Kessel", "Kessel"),
    ("replace", {"find": "a.c", "instead": r"\1"}, "a.c abc", r"\1 abc"),
    ("replace", {"find": "A", "instead": "x", "any_case": True}, "aA", "xx"),
    ("replace", {"find": r"(\w+)@\w+", "instead": r"<\1>", "pattern": True}, "ann@here", "<ann>"),
    ("redact", {}, "write to ann.lee@mail.example", "write to [EMAIL]"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "options", "before", "after"), EDITS)
def test_a_text_step_changes_this_and_nothing_else(tmp_path: Path, key: str, options: dict[str, Any], before: str, after: str):  # fmt: skip
    cells, numbers, outcome = mended(
        tmp_path, {"text": [before, None, "kiln"], "label": [before, "b", None]}, key, **options
    )
    assert cells["text"][:2] == [after, None]
    assert cells["text"][2] == "kiln"
    assert cells["label"] == [before, "b", None], "labels are nobody's business"
    assert numbers == [1, 2, 3]
    assert (outcome.changed, outcome.dropped) == (int(before != after), 0)


LABELLED: dict[str, list[str | None]] = {
    "text": ["good", " Good ", "bad", "bad", None, "fine", "fine", "fine", "x", "long " * 40],
    "label": ["pos", "pos", "neg", "neg", "neg", "pos", "neg", "neg", "odd", "Pos "],
}
ROWS: list[tuple[str, dict[str, Any], list[int]]] = [
    ("keep_length", {"column": "text", "shortest": 3, "longest": 10}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ("keep_value", {"column": "label", "rule": "keep_equal", "value": "neg"}, [3, 4, 5, 7, 8]),
    ("keep_value", {"column": "label", "rule": "drop_holding", "value": "e"}, [1, 2, 6, 9, 10]),
    ("drop_blank", {"columns": ["text", "label"]}, [1, 2, 3, 4, 6, 7, 8, 9, 10]),
    ("drop_duplicates", {"columns": ["text", "label"]}, [1, 3, 5, 6, 7, 9, 10]),
    ("drop_duplicates", {"columns": ["text"]}, [1, 3, 5, 6, 9, 10]),
    ("drop_duplicates", {"columns": ["text"], "label": "label"}, [1, 3, 5, 6, 7, 9, 10]),
    ("drop_conflicts", {"columns": ["text"], "label": "label"}, [1, 2, 3, 4, 5, 7, 8, 9, 10]),
    ("drop_conflicts", {"columns": ["text"], "label": "label", "keep": "none"}, [1, 2, 3, 4, 5, 9, 10]),
    ("drop_rare", {"label": "label", "rows": 2}, [1, 2, 3, 4, 5, 6, 7, 8]),
]


@pytest.mark.parametrize(("key", "options", "kept"), ROWS)
def test_a_row_step_keeps_these_rows_as_they_were(tmp_path: Path, key: str, options: dict[str, Any], kept: list[int]):
    cells, numbers, outcome = mended(tmp_path, LABELLED, key, **options)
    assert numbers == kept
    for name, column in LABELLED.items():
        assert cells[name] == [column[number - 1] for number in kept]
    assert outcome.dropped == 10 - len(kept)


def test_near_duplicates_go_and_the_first_stays(tmp_path: Path):
    texts = [
        "please ring me about the leaking flask today",
        "please ring me about the leaking flask  TODAY!",
        "another one",
    ]
    _, numbers, _ = mended(tmp_path, {"text": texts, "label": ["a", "a", "b"]}, "drop_near_duplicates", column="text")
    assert numbers == [1, 3]
    _, numbers, _ = mended(
        tmp_path, {"text": texts, "label": ["a", "b", "b"]}, "drop_near_duplicates", column="text", label="label"
    )
    assert numbers == [1, 2, 3], "rows with different labels are no copies of one another"


def test_labels_are_mapped_and_texts_are_not(tmp_path: Path):
    pairs = [["Pos ", "pos"], ["odd", "neg"], ["good", "never"]]
    cells, numbers, outcome = mended(tmp_path, LABELLED, "map_labels", label="label", pairs=pairs)
    assert cells["label"] == ["pos", "pos", "neg", "neg", "neg", "pos", "neg", "neg", "neg", "pos"]
    assert cells["text"] == LABELLED["text"]
    assert numbers == list(range(1, 11))
    assert outcome.changed == 2


def test_a_sample_is_the_same_every_time_and_keeps_shares(tmp_path: Path):
    cells = {"text": [f"row {n}" for n in range(400)], "label": ["a" if n % 4 else "b" for n in range(400)]}
    once, numbers, _ = mended(tmp_path, cells, "sample", share=0.25, label="label")
    again, same, _ = mended(tmp_path, cells, "sample", share=0.25, label="label")
    assert numbers == same
    assert once == again
    assert (once["label"].count("a"), once["label"].count("b")) == (75, 25)
    _, other, _ = mended(tmp_path, cells, "sample", share=0.25, seed=14)
    assert other != numbers


def test_balance_cuts_or_repeats(tmp_path: Path):
    cells: dict[str, list[str | None]] = {"text": [f"row {n}" for n in range(110)], "label": ["a"] * 100 + ["b"] * 10}
    cut, _, told = mended(tmp_path, cells, "balance", label="label", ratio=2.0)
    assert (cut["label"].count("a"), cut["label"].count("b")) == (20, 10)
    assert (told.dropped, told.added) == (80, 0)
    more, numbers, told = mended(tmp_path, cells, "balance", label="label", how="repeat", ratio=4.0)
    assert (more["label"].count("a"), more["label"].count("b")) == (100, 25)
    assert (told.dropped, told.added) == (0, 15)
    assert set(numbers) == set(range(1, 111)), "a repeated row keeps its number"
    assert numbers == sorted(numbers)


def test_columns_are_joined_by_a_template_and_dropped(tmp_path: Path):
    cells = {"title": ["A", None, None], "body": ["one", "two", None], "label": ["x", "y", "z"]}
    made, _, told = mended(tmp_path, cells, "join_columns", template="{title}: {body}", name="both")
    assert made["both"] == ["A: one", ": two", None]
    assert told.changed == 2
    left, _, told = mended(tmp_path, cells, "drop_columns", columns=["title"])
    assert list(left) == ["body", "label"]
    assert (told.changed, told.dropped) == (0, 0)


def test_one_language_stays_and_what_is_too_short_to_tell(tmp_path: Path):
    texts: list[str | None] = [
        "The kettle arrived two days late and the box was open", "今天的快递又晚到了两天，盒子也破了", "ok", None,
        "Der Kessel kam zwei Tage zu spät und der Karton war offen", "お茶がとても美味しかったです",
    ]  # fmt: skip
    _, numbers, _ = mended(tmp_path, {"text": texts}, "keep_language", column="text")
    assert numbers == [1, 3, 4]
    _, numbers, _ = mended(tmp_path, {"text": texts}, "keep_language", column="text", spoken="zh")
    assert numbers == [2, 3, 4]


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("whitespace", {"columns": ["nope"]}, "step_column_unknown"),
    ("replace", {"columns": ["text"]}, "step_find_empty"),
    ("replace", {"columns": ["text"], "find": "(", "pattern": True}, "step_pattern_bad"),
    ("replace", {"columns": ["text"], "find": "a", "instead": r"\7", "pattern": True}, "step_pattern_bad"),
    ("join_columns", {"template": "no braces"}, "step_template_empty"),
    ("join_columns", {"template": "{text}", "name": "label"}, "step_name_taken"),
    ("drop_columns", {"columns": ["text", "label"]}, "step_columns_none"),
    ("keep_value", {"column": "label", "rule": "keep_equal", "value": "nowhere"}, "step_no_rows"),
    ("keep_length", {"column": "text", "shortest": -1}, "step_options"),
    ("map_labels", {"label": "label", "pairs": [["only one"]]}, "step_options"),
    ("whitespace", {"columns": 7}, "step_options"),
    ("no_such_step", {}, "unknown_key"),
]


@pytest.mark.parametrize(("key", "options", "code"), REFUSALS)
def test_a_step_that_cannot_be_is_refused(tmp_path: Path, key: str, options: dict[str, Any], code: str):
    with pytest.raises(UserError) as caught:
        mended(tmp_path, LABELLED, key, **options)
    assert caught.value.code == code
    assert all(caught.value.parts("zh"))


def test_text_beside_places_and_json_is_not_edited(tmp_path: Path):
    spans = json.dumps([{"start": 0, "end": 3, "label": "PER"}])
    talk = json.dumps([{"role": "user", "content": "hi"}])
    with pytest.raises(UserError) as caught:
        mended(tmp_path, {"text": ["Ann  here"], "spans": [spans]}, "whitespace", columns=["text"])
    assert caught.value.code == "step_anchored"
    with pytest.raises(UserError) as caught:
        mended(tmp_path, {"messages": [talk]}, "lowercase", columns=["messages"])
    assert caught.value.code == "step_structured"
    with pytest.raises(UserError) as caught:
        mended(tmp_path, {"messages": [talk]}, "lowercase", {"messages": "chat"})
    assert caught.value.code == "step_no_text"
    squad = json.dumps({"text": ["Ann"], "answer_start": [0]})
    with pytest.raises(UserError) as caught:
        mended(tmp_path, {"context": ["Ann here"], "answers": [squad]}, "lowercase", columns=["context"])
    assert caught.value.code == "step_anchored"
    # Whole rows may go all the same.
    _, numbers, _ = mended(tmp_path, {"text": ["a", ""], "spans": [spans, spans]}, "drop_blank", columns=["text"])
    assert numbers == [1]


def test_a_pattern_that_never_ends_is_stopped(tmp_path: Path):
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        mended(tmp_path, {"text": ["a" * 200 + "!"]}, "replace", find="(a|aa)+$", pattern=True, columns=["text"])
    assert caught.value.code == "step_pattern_slow"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("raw", ["text", {"step": "markup", "options": 3}, None, 7])
def test_what_is_no_step_is_refused(raw: object):
    with pytest.raises(UserError) as caught:
        Chosen.from_json(raw)
    assert caught.value.code == "step_unreadable"


def test_what_changed_is_shown_around_the_change(tmp_path: Path):
    text = "word " * 100 + "<b>here</b>" + " word" * 100
    _, _, outcome = mended(tmp_path, {"text": [text, "plain"]}, "markup")
    (example,) = outcome.examples
    assert example["row"] == 1
    assert "<b>here" in example["before"]
    assert "<b>" not in example["after"]
    assert "here" in example["after"]


def test_every_step_and_option_has_words():
    wanted = [f"step.{step.key}.{part}" for step in steps for part in ("title", "blurb")]
    wanted += [f"step.family.{step.family}" for step in steps]
    wanted += [code for step in steps for o in options_of(step.Options, "step") for code in (o.code, f"{o.code}_help")]
    assert not [code for code in wanted if not has(code)]
