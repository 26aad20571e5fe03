"""Forty files as people have them - every task, every format, headers in English, Chinese and neither: what the columns
are for is guessed rightly in at least 38, and where it is not, the studio asks instead of choosing.

A file that can be read in two ways has no right guess: there the right thing is the question, with what its owner meant
among the answers.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from planting import generated
from reading_room import read_bytes, sheet_of, workbook, zipped

from studio.data.roles import Suggestion, suggest_for

ROWS = 80
NEEDED = 38
HANZI = ("房间很安静", "早餐不太好吃", "前台态度很好", "等了半个小时才上菜", "快递又晚到了两天", "屏幕碎了一角", "客服一直没有人接", "价格比别家便宜",
         "味道和以前一样好", "包装盒已经破了", "退款到现在还没到账", "下次还会再来")  # fmt: skip


def english(seed: int, rows: int = ROWS) -> list[str]:
    return [text for text, _ in generated("en", rows, random.Random(seed))]


def german(seed: int) -> list[str]:
    return [text for text, _ in generated("de", ROWS, random.Random(seed))]


def chinese(seed: int, parts: int = 3) -> list[str]:
    draw = random.Random(seed)
    return ["，".join(draw.sample(HANZI, parts)) + f"，一共{turn + 3}次。" for turn in range(ROWS)]


def turns(*values: Any) -> list[Any]:
    """The values in an order that nothing tells."""
    draw = random.Random(len(values))
    return [draw.choice(values) for _ in range(ROWS)]


def numbers(low: float, high: float, digits: int = 1, seed: int = 3) -> list[str]:
    draw = random.Random(seed)
    return [f"{draw.uniform(low, high):.{digits}f}" for _ in range(ROWS)]


def long(texts: Sequence[str], seed: int = 7) -> list[str]:
    """Paragraphs: each text among five others."""
    draw = random.Random(seed)
    return [" ".join([text, *draw.sample(list(texts), 5)]) for text in texts]


Columns = dict[str, Sequence[Any]]


def table(columns: Columns, apart: str = ",", header: bool = True) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=apart, lineterminator="\r\n")
    if header:
        writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def records(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def jsonl(columns: Columns) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in records(columns)).encode()


def document(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def parquet(columns: Columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), out)
    return out.getvalue()


def excel(columns: Columns) -> bytes:
    return workbook(sheet_of([list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]))


def conll(words: Sequence[tuple[str, str]], apart: str = "\t") -> bytes:
    draw, lines = random.Random(5), []
    for _ in range(ROWS):
        lines += [f"{word}{apart}{tag}" for word, tag in draw.sample(list(words), len(words))] + [""]
    return "\n".join(lines).encode()


def squad(nested: bool) -> bytes:
    rows = []
    for turn, (text, question) in enumerate(zip(long(english(1)), english(2), strict=True)):
        answer = text.split(",")[turn % 3].strip().split(".")[-1].strip()
        rows.append((f"{question[:-1]}?", text, {"text": [answer], "answer_start": [text.index(answer)]}))
    if not nested:
        return jsonl(dict(zip(("question", "context", "answers"), zip(*rows, strict=True), strict=True)))
    paragraphs = []
    for turn, (question, text, found) in enumerate(rows):
        answers = [{"text": found["text"][0], "answer_start": found["answer_start"][0]}]
        paragraphs.append({"context": text, "qas": [{"id": str(turn), "question": question, "answers": answers}]})
    return document({"version": "1.1", "data": [{"title": "a", "paragraphs": paragraphs}]})


def chinese_answers() -> Columns:
    texts = chinese(8, 5)
    return {"问题": [f"第{turn}条评论说了什么？" for turn in range(ROWS)], "文章": texts, "答案": [text.split("，")[2] for text in texts]}  # fmt: skip


def marked() -> Columns:
    spans = [[{"start": 0, "end": len(text.split(" ")[0]), "label": "THING"}] for text in english(4)]
    return {"text": english(4), "entities": spans}


def tagged() -> Columns:
    words = [text.rstrip(".").split(" ") for text in english(4)]
    return {"tokens": words, "ner_tags": [["B-THING", *["O"] * (len(row) - 1)] for row in words]}


def talks(role: str, said: str, names: tuple[str, str]) -> list[list[dict[str, str]]]:
    pairs = zip(english(5), english(6), strict=True)
    return [[{role: names[0], said: asked}, {role: names[1], said: answer}] for asked, answer in pairs]


def catalogue() -> bytes:
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: de\\n"\n\n'
    pairs = zip(english(1), german(1), strict=True)
    return (head + "\n".join(f'msgid "{one}"\nmsgstr "{other}"\n' for one, other in pairs)).encode()


@dataclass(frozen=True)
class File:
    """A file, and what its columns are for. `asks`: it can be read in more ways than one."""

    name: str
    content: bytes
    task: str
    columns: dict[str, str]
    asks: bool = False


def by_label(text: str, label: str) -> dict[str, str]:
    return {"text": text, "label": label}


def classified() -> list[File]:
    """Files for sorting texts by label."""
    key = "classification"
    teams, moods = turns("sales", "support", "billing"), turns("正面", "负面")
    plain = {"text": english(1), "label": teams}
    machinery = {"id": range(ROWS), "date": turns("2024-01-02", "2024-02-03"), "split": turns("train", "test")}
    flags = table({"Unnamed: 0": range(ROWS), "TEXT (cleaned)": english(2), "y": turns("0", "1")})
    return [
        File("a.csv", table(plain).encode(), key, by_label("text", "label")),
        File("pinglun.csv", table({"评论": chinese(1), "情感": moods}).encode("gb18030"), key, by_label("评论", "情感")),
        File("team.tsv", table({"Message": english(1), "Team": teams}, "\t").encode(), key, by_label("Message", "Team")),
        File("amt.csv", table({"Nachricht": german(1), "Abteilung": turns("Verkauf", "Küche")}, ";").encode("latin-1"), key, by_label("Nachricht", "Abteilung")),
        File("bare.csv", table(plain, header=False).encode(), key, by_label("column_1", "column_2")),
        File("export.csv", table({**machinery, **plain}).encode("utf-8-sig"), key, by_label("text", "label")),
        File("intents.jsonl", jsonl({"utterance": english(3), "intent": teams}), key, by_label("utterance", "intent")),
        File("news.json", document(records({"content": english(4), "category": teams})), key, by_label("content", "category")),
        File("calls.xlsx", excel({"Customer comment": english(5), "Reason for call": teams}), key, by_label("Customer comment", "Reason for call")),
        File("q.parquet", parquet({"q": english(6), "class": teams}), key, by_label("q", "class")),
        File("neirong.csv", table({"内容": chinese(2), "类别": turns("物流", "质量", "服务")}, "\t").encode("utf-16"), key, by_label("内容", "类别")),
        File("packed.zip", zipped({"inside/b.csv": table(plain).encode()}), key, by_label("text", "label")),
        File("packed.jsonl.gz", gzip.compress(jsonl(plain)), key, by_label("text", "label")),
        File("articles.csv", table({"title": [text.split(",")[0] for text in english(7)], "body": long(english(7)), "topic": teams}).encode(), key, by_label("body", "topic")),
        File("kaggle.csv", flags.encode(), key, by_label("TEXT (cleaned)", "y")),
        File("stars.csv", table({"review": english(8), "label": turns("1", "2", "3", "4", "5")}).encode(), key, by_label("review", "label")),
        File("two.csv", table({"text": english(9), "intent": turns(*"abcdefgh"), "domain": turns("x", "y")}).encode(), key, by_label("text", "intent"), asks=True),
    ]  # fmt: skip


def marked_up() -> list[File]:
    """Files for several labels, parts of texts, and answers in texts."""
    topics = [random.Random(turn).sample(["food", "room", "staff", "price"], 1 + turn % 3) for turn in range(ROWS)]
    several, chosen = "multilabel", {"text": "text", "labels": "labels"}
    flags = {
        name: turns("0", "1", "0", "1", "1")[place:] + turns("0", "1")[:place]
        for place, name in enumerate(("toxic", "insult", "threat"))
    }
    people = [("Ann", "B-PER"), ("met", "O"), ("Bob", "B-PER"), ("in", "O"), ("Paris", "B-LOC"), ("today", "O")]
    hanzi = [("张", "B-PER"), ("三", "I-PER"), ("去", "O"), ("北", "B-LOC"), ("京", "I-LOC"), ("了", "O")]
    asked = {"question": "question", "context": "context", "answers": "answers"}
    return [
        File("topics.jsonl", jsonl({"text": english(1), "labels": topics}), several, chosen),
        File("toxic.csv", table({"comment_text": english(2), **flags}).encode(), several, {"text": "comment_text", "labels": "labels"}),
        File("biaoqian.jsonl", jsonl({"句子": chinese(3), "标签": [["房间", "早餐"][: 1 + turn % 2] for turn in range(ROWS)]}), several, {"text": "句子", "labels": "标签"}),
        File("joined.csv", table({"text": english(3), "emotions": ["|".join(row) for row in topics]}).encode(), several, {"text": "text", "labels": "emotions"}, asks=True),
        File("people.conll", conll(people), "ner", {"text": "text", "entities": "entities"}),
        File("renming.txt", conll(hanzi, " "), "ner", {"text": "text", "entities": "entities"}),
        File("spans.jsonl", jsonl(marked()), "ner", {"text": "text", "entities": "entities"}),
        File("tokens.json", document(records(tagged())), "ner", {"text": "text", "entities": "entities"}),
        File("flat.jsonl", squad(nested=False), "qa", asked),
        File("dev-v1.1.json", squad(nested=True), "qa", asked),
        File("wenda.csv", table(chinese_answers()).encode(), "qa", {"question": "问题", "context": "文章", "answers": "答案"}, asks=True),
    ]  # fmt: skip


def measured() -> list[File]:
    """Files for numbers and pairs."""
    pair = {"first": "sentence1", "second": "sentence2"}
    return [
        File("price.csv", table({"text": english(1), "score": numbers(0, 100)}).encode(), "regression", {"text": "text", "number": "score"}),
        File("pingfen.xlsx", excel({"评论": chinese(4), "评分": numbers(1, 10)}), "regression", {"text": "评论", "number": "评分"}),
        File("sts.tsv", table({**dict(zip(pair.values(), (english(1), english(2)), strict=True)), "score": numbers(0, 5)}, "\t").encode(), "similarity", {**pair, "score": "score"}),
        File("nli.jsonl", jsonl({"premise": english(3), "hypothesis": english(4), "label": turns("entailment", "neutral", "contradiction")}), "pair_classification", {"first": "premise", "second": "hypothesis", "label": "label"}),
        File("quora.csv", table({"id": range(ROWS), "question1": english(5), "question2": english(6), "is_duplicate": turns("0", "1")}).encode(), "pair_classification", {"first": "question1", "second": "question2", "label": "is_duplicate"}),
    ]  # fmt: skip


def spoken() -> list[File]:
    """Files for answers, translations, summaries and language itself."""
    chat = {"messages": "messages"}
    return [
        File("chat.jsonl", jsonl({"messages": talks("role", "content", ("user", "assistant"))}), "chat", chat),
        File("sharegpt.json", document([{"id": str(turn), "conversations": talk} for turn, talk in enumerate(talks("from", "value", ("human", "gpt")))]), "chat", {"messages": "conversations"}),
        File("alpaca.json", document(records({"instruction": english(1), "input": ["" if turn % 2 else text[:40] for turn, text in enumerate(english(3))], "output": english(2)})), "chat", {"instruction": "instruction", "input": "input", "output": "output"}),
        File("zhiling.csv", table({"指令": chinese(5), "输出": chinese(6)}).encode(), "chat", {"instruction": "指令", "output": "输出"}),
        File("en-de.csv", table({"english": english(1), "german": german(1)}).encode(), "translation", {"source": "english", "target": "german"}),
        File("de.po", catalogue(), "translation", {"source": "source", "target": "target"}),
        File("news.jsonl", jsonl({"article": long(english(2)), "summary": english(2)}), "summarisation", {"document": "article", "summary": "summary"}),
    ]  # fmt: skip


def files() -> list[File]:
    return [*classified(), *marked_up(), *measured(), *spoken()]


def means(found: Suggestion, file: File) -> bool:
    return (found.task, found.columns) == (file.task, file.columns)


def judged(folder: Path, file: File) -> tuple[bool, Suggestion]:
    """Whether the guess is right, and the guess. Never a choice that is wrong."""
    folder.mkdir()
    found = suggest_for(read_bytes(folder, file.name, file.content).profile["columns"])
    if found.sure:
        assert means(found, file), f"{file.name}: chosen silently, and wrongly: {found}"
        return not file.asks, found
    return file.asks and any(means(answer, file) for answer in found.alternatives), found


def test_forty_files(tmp_path: Path) -> None:
    told = {file.name: judged(tmp_path / str(turn), file) for turn, file in enumerate(files())}
    assert len(told) == 40
    wrong = {name: found for name, (right, found) in told.items() if not right}
    assert len(told) - len(wrong) >= NEEDED, wrong
