"""Which columns are a text and its translation or summary: by headers in both languages, by the cells' languages."""

import pytest

from studio.tasks.base import tasks
from studio.tasks.pairing import language_of_header

TRANSLATE, SUMMARISE, CAUSAL = (tasks.get(key) for key in ("translation", "summarisation", "causal_lm"))
ENGLISH = ["Where is the station?", "I like the cat.", "It is late and we are tired."]
CHINESE = ["车站在哪里？", "我喜欢猫。", "很晚了，我们累了。"]


def column(name, kind="text", examples=ENGLISH, mean=30.0):
    return {"name": name, "kind": kind, "examples": examples, "mean_length": mean, "distinct": 100, "missing": 0}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([column("source"), column("target", examples=CHINESE)], ("source", "target")),
        ([column("target", examples=CHINESE), column("source"), column("context", "label")], ("source", "target")),
        ([column("英文"), column("中文", examples=CHINESE)], ("英文", "中文")),
        ([column("zh", examples=CHINESE), column("en")], ("zh", "en")),
        ([column("text_en"), column("text_de")], ("text_en", "text_de")),
        ([column("english"), column("chinese"), column("attribution", "id")], ("english", "chinese")),
        ([column("原文"), column("译文", "label")], ("原文", "译文")),
        ([column("a"), column("b", examples=CHINESE, mean=12.0)], ("a", "b")),
        ([column("a"), column("b")], None),
        ([column("a"), column("b", examples=CHINESE, mean=900.0)], None),
        ([column("a"), column("b", examples=CHINESE), column("topic", "label")], None),
        ([column("source"), column("target"), column("label", "label")], None),
        ([column("text"), column("label", "label")], None),
    ],
)
def test_pairs_of_languages(columns, expected):
    found = TRANSLATE.guess(columns)
    if expected is None:
        assert found is None
    else:
        assert (found.task, found.sure) == ("translation", True)
        assert (found.columns["source"], found.columns["target"]) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([column("document", mean=900.0), column("summary")], ("document", "summary")),
        ([column("正文", mean=900.0), column("摘要")], ("正文", "摘要")),
        ([column("description", mean=900.0), column("synopsis"), column("id", "id")], ("description", "synopsis")),
        ([column("text", mean=900.0), column("title")], None),
        ([column("text", mean=900.0), column("summary"), column("topic", "label")], None),
    ],
)
def test_documents_and_their_summaries(columns, expected):
    found = SUMMARISE.guess(columns)
    assert (None if found is None else (found.columns["document"], found.columns["summary"])) == expected


def test_what_is_not_plain_is_offered():
    columns = [column("a", mean=500.0), column("b")]
    assert [offer.columns for offer in TRANSLATE.offers(columns)] == [
        {"source": "a", "target": "b"},
        {"source": "b", "target": "a"},
    ]
    assert [offer.columns for offer in SUMMARISE.offers(columns)] == [{"document": "a", "summary": "b"}]
    assert CAUSAL.offers(columns) == []
    assert [offer.columns for offer in CAUSAL.offers(columns[:1])] == [{"text": "a"}]
    assert CAUSAL.offers([columns[0], column("mood", "label")]) == []
    assert (
        TRANSLATE.offers(columns[:1]) == SUMMARISE.offers(columns[:1]) == CAUSAL.offers([column("n", "number")]) == []
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("English", "en"), ("zh-CN", "zh"), ("text_fr", "fr"), ("日文", "ja"), ("name", ""), ("de", "de")],
)
def test_headers_that_name_a_language(name, code):
    assert language_of_header(name) == code
