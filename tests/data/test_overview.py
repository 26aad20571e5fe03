"""The sentences about a data set: counted by the doctor on its way, true, and said in both languages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import planting
import pytest
from workbench import Cells, source_of

from studio.data.doctor.examining import examined
from studio.data.overview import sentences
from studio.words import say

KINDS = {"text": "text", "label": "label"}


def facts(folder: Path, cells: Cells) -> dict[str, Any]:
    job = {"task": "classification", "columns": KINDS, "kinds": KINDS}
    return dict(examined(source_of(folder, cells), job, lambda done, total: None)["facts"])


def said(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    told = sentences(found)
    for code, values in told:
        for language in ("en", "zh"):
            assert "{" not in say(code, language, **values)
    return {code.removeprefix("web.about."): values for code, values in told}


@pytest.mark.parametrize("source", ["help_desk", "waimai", "erzeugt"])
def test_what_is_said_of_a_clean_table_is_true(tmp_path: Path, source: str) -> None:
    one = planting.table(source, 3)
    texts, labels = [text or "" for text in one.cells["text"]], Counter(one.cells["label"])
    told = said(facts(tmp_path, one.cells))
    assert told["size"] == {"rows": len(texts), "columns": 2, "lacking": 0}
    lengths = told["lengths"]
    assert lengths["half"] == pytest.approx(median(map(len, texts)), abs=1)
    assert lengths["longest"] == max(map(len, texts))
    assert sum(len(text) <= lengths["low"] for text in texts) >= len(texts) / 4
    (code,) = (code for code in told if code.startswith("labels_"))
    (most, high), (_, low) = labels.most_common()[0], labels.most_common()[-1]
    assert (told[code]["most"], told[code]["high"], told[code]["low"]) == (most, high, low)
    assert labels[told[code]["least"]] == low
    assert (code == "labels_even") == (high <= 1.5 * low)
    assert told["repeats_none"] == {}
    (spoken,) = (values for code, values in told.items() if code.startswith("language_"))
    assert spoken["language_code"] == f"web.about.language.{one.language}"


def test_what_is_missing_and_what_is_there_again_and_again(tmp_path: Path) -> None:
    one = planting.table("help_desk", 4)
    for row, text in ((0, None), (1, " ")):
        one.cells["text"][row] = text
    one.cells["label"][1] = one.cells["label"][2] = None
    for _ in range(3):
        one.add(one.text(10).upper(), one.label(10))
    one.add(f" {one.text(11)}", one.label(11))
    found = facts(tmp_path, one.cells)
    told = said(found)
    assert told["size_lacking"]["lacking"] == 3
    assert told["repeats"] == {"repeated": 4, "row": 11, "times": 4}
    assert [(row, times) for row, times, _ in found["frequent"]] == [(11, 4), (12, 2)]
    assert found["frequent"][0][2] == [one.text(10), one.label(10)]


@pytest.mark.parametrize(
    ("counts", "code", "share"),
    [
        ([["en", 500]], "language_one", "100"),
        ([["zh", 4999], ["en", 1]], "language_nearly", "> 99.9"),
        ([["zh", 991], ["en", 9]], "language_nearly", "99.1"),
        ([["en", 60], ["zh", 40]], "language_mixed", "60"),
    ],
)
def test_shares_of_languages_are_never_rounded_to_what_they_are_not(
    counts: list[list[Any]], code: str, share: str
) -> None:
    found = {"rows": 1, "columns": 1, "lacking": 0, "languages": {"looked": 5_000, "counts": counts}}
    assert said(found)[code]["share"] == share


def test_texts_of_one_length_and_a_single_label(tmp_path: Path) -> None:
    cells: Cells = {"text": [f"number {n:03d} is a text" for n in range(40)], "label": ["good"] * 40}
    told = said(facts(tmp_path, cells))
    assert told["lengths_same"]["longest"] == 20
    assert told["label_one"]["most"] == "good"


def test_without_text_and_label_only_the_size_is_said(tmp_path: Path) -> None:
    source = source_of(tmp_path, {"talk": ["[]"] * 3})
    job = {"task": "chat", "columns": {"messages": "talk"}, "kinds": {"talk": "chat"}}
    found = examined(source, job, lambda done, total: None)
    assert [code for code, _ in sentences(found["facts"])] == ["web.about.size"]
