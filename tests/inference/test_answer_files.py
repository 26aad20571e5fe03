from __future__ import annotations

import csv
import errno

import pytest

from studio.errors import UserError
from studio.inference.files import AnswerFile, as_sheet, harmless, match_columns
from studio.inference.kinds.base import answerers
from studio.inference.settings import GROUP, ChatSettings
from studio.options import options_of, read_options
from studio.tasks.base import tasks
from studio.words import has

LABEL_CELLS = answerers.get("labels").cells
LABELS = {"label": "food", "scores": {"food": 0.75, "other": 0.25}}


@pytest.mark.parametrize(
    ("task", "wanted", "there", "expected"),
    [
        ("classification", {"text": "body of mail", "label": "team"}, ["id", "body of mail"], {"text": "body of mail"}),
        ("classification", {"text": "mail"}, ["ID", "Review", "label"], {"text": "Review"}),
        ("classification", {"text": "mail"}, ["whatever"], {"text": "whatever"}),
        ("chat", {"messages": "talks"}, ["talks", "prompt"], {"messages": "talks", "instruction": "prompt"}),
        ("chat", {}, ["instruction", "input", "output"], {"instruction": "instruction", "input": "input"}),
        ("chat", {}, ["anything"], {"instruction": "anything"}),
    ],
)
def test_columns_are_found(task, wanted, there, expected):
    assert match_columns(tasks.get(task), wanted, there) == expected


@pytest.mark.parametrize(("task", "named"), [("classification", "mail"), ("chat", "messages")])
def test_a_missing_column_is_named_with_those_there_are(task, named):
    with pytest.raises(UserError) as caught:
        match_columns(tasks.get(task), {"text": "mail"}, ["first", "second"])
    for language in ("en", "zh"):
        text = caught.value.text(language)
        assert named in text
        assert "first, second" in text


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"])
def test_formulas_become_text(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1", " =1", "a=1", "'=1", "外卖"])
def test_other_texts_stay(text):
    assert harmless(text) == text


def test_formulas_in_headers_and_labels_are_made_harmless_too(tmp_path):
    path = tmp_path / "out.csv"
    with AnswerFile(path, ["=cmd()", "text"], LABEL_CELLS) as out:
        out.write([{"=cmd()": "x", "text": None}], [{"label": "@evil", "scores": {"@evil": 1.0}}])
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0][:3] == ["'=cmd()", "text", "predicted_label"]
    assert rows[1][:3] == ["x", "", "'@evil"]


def test_a_file_without_rows_keeps_its_header(tmp_path):
    with AnswerFile(tmp_path / "out.csv", ["a", "b"], LABEL_CELLS) as out:
        out.write([], [])
    assert (tmp_path / "out.csv").read_text("utf-8-sig").strip() == '"a","b"'


def test_an_old_answer_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def fail():
        with AnswerFile(path, ["text"], LABEL_CELLS) as out:
            out.write([{"text": "x"}], [LABELS])
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    class Full:
        def writerow(self, row):
            raise OSError(errno.ENOSPC, "No space left on device")

    def fail():
        with AnswerFile(tmp_path / "out.csv", ["text"], LABEL_CELLS) as out:
            out._sheet = Full()
            out.write([{"text": "x"}], [LABELS])

    with pytest.raises(UserError) as caught:
        fail()
    assert caught.value.code == "predict_out_unwritable"
    assert "No space left" in caught.value.text()
    assert list(tmp_path.iterdir()) == []


def test_every_setting_has_its_words_and_bounds():
    for item in options_of(ChatSettings, GROUP):
        assert has(item.code), item.code
        assert has(f"{item.code}_help"), item.code
    for raw in ({"max_new_tokens": 513}, {"temperature": -1}, {"top_p": 0}, {"beams": 4}):
        settings, problems = read_options(ChatSettings, GROUP, raw)
        assert settings == ChatSettings()
        assert [problem.field for problem in problems] == [f"{GROUP}.{next(iter(raw))}"]


def test_answers_are_kept_as_they_are_and_made_a_sheet_afterwards(tmp_path):
    exact, sheet = tmp_path / "a.jsonl", tmp_path / "a.csv"
    with AnswerFile(exact, ["text"], LABEL_CELLS) as out:
        assert out.named("predicted_label") == ""
        out.write([{"text": "=1+1"}, {"text": None}], [LABELS, LABELS])
        assert out.named("predicted_label") == "predicted_label"
    as_sheet(exact, sheet)
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["text"] for row in rows] == ["'=1+1", ""]
    assert rows[0]["predicted_label"] == "food"
    assert rows[0]["confidence"] == "0.75"
    assert '"=1+1"' in exact.read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "prediction"),
    [
        ("labels", LABELS),
        ("multilabel", {"labels": ["a"], "scores": {"a": 0.9}}),
        ("tags", {"entities": []}),
        ("spans", {"text": "a", "start": 0, "end": 1}),
        ("text", {"text": "a"}),
        ("score", {"score": 1.0, "digits": 1}),
        ("similarity", {"score": 1.0, "digits": 1, "cosine": 0.5}),
    ],
)
def test_what_can_be_corrected_is_among_the_cells(kind, prediction):
    answerer = answerers.get(kind)
    assert answerer.truths
    assert set(answerer.truths) <= set(answerer.cells(prediction))
    assert all(len(answerer.truths) <= len(task.told) for task in tasks if task.result == kind)
