"""Delimited and plain text: any encoding, any delimiter, headers or none, broken rows told by line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from reading_room import read_bytes

from studio.data.encoding import detect
from studio.errors import UserError

CHINESE = [
    ("味道很好，送餐也快，下次还会点", "好评"),
    ("太难吃了，等了两个小时，菜都凉了", "差评"),
    ("分量还可以，就是有点咸", "中评"),
    ("服务态度非常好，给个好评", "好评"),
    ("再也不会来这家店了，太失望了", "差评"),
    ("一般般吧，没有想象中的好", "中评"),
]
FRENCH = [
    ("Très bon accueil, la chambre était propre", "positif"),
    ("Déçu : le petit-déjeuner n’était pas à la hauteur", "négatif"),
    ("Le réceptionniste a été très désagréable", "négatif"),
    ("Séjour agréable, à refaire l’été prochain", "positif"),
]


def table(rows: list[tuple[str, str]], header: tuple[str, str], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk"])
def test_chinese_csv_in_any_encoding_comes_out_the_same(tmp_path: Path, encoding: str) -> None:
    made = read_bytes(tmp_path, "评价.csv", table(CHINESE, ("评论", "情感")).encode(encoding))
    assert made.names == ["评论", "情感"]
    assert [(row["评论"], row["情感"]) for row in made.rows] == CHINESE
    assert made.profile["problems"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-8-sig"])
def test_french_csv_in_any_encoding_comes_out_the_same(tmp_path: Path, encoding: str) -> None:
    made = read_bytes(tmp_path, "avis.csv", table(FRENCH, ("texte", "avis"), ";").encode(encoding))
    assert [(row["texte"], row["avis"]) for row in made.rows] == FRENCH
    assert made.profile["delimiter"] == ";"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("big5", "這家店的服務很好，東西也很好吃，我們下次還會再來。"),
        ("shift_jis", "この店のサービスはとても良かったです。また来たいと思います。"),
        ("euc_jp", "この店のサービスはとても良かったです。また来たいと思います。"),
        ("cp949", "이 가게는 서비스가 정말 좋았습니다. 다음에도 다시 오고 싶어요."),
        ("cp1251", "Очень хороший отель, нам всё понравилось, приедем ещё раз."),
        ("cp1250", "Velmi příjemný hotel, snídaně byla výborná, určitě přijedeme znovu. Żółta łódź."),
        ("cp1253", "Πολύ καλό ξενοδοχείο, το πρωινό ήταν υπέροχο."),
        ("cp1255", "המלון היה נקי מאוד והשירות היה מצוין"),
        ("cp1256", "كان الفندق نظيفا جدا والخدمة ممتازة"),
        ("cp874", "โรงแรมนี้สะอาดมากและบริการดีเยี่ยม"),
        ("cp1252", "Sehr schönes Hotel, das Frühstück war großartig, wir kommen gern zurück."),
        ("utf-8", "Sehr schönes Hotel 👍"),
        ("utf-8", "plain ASCII"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "text"
    path.write_bytes((text + "\n").encode(encoding))
    assert detect(path) == encoding


def test_a_few_damaged_bytes_do_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    content = table(CHINESE * 20, ("评论", "情感")).encode()
    content = content.replace("分量".encode(), b"\xe5\x88\xff\xe9\x87\x8f", 1)
    made = read_bytes(tmp_path, "a.csv", content)
    assert made.profile["encoding"] == "utf-8"
    problem = made.problem("data_damaged_characters")
    assert problem["count"] == 1
    assert problem["examples"][0][0] == 3


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv", "noname"])
def test_any_delimiter_under_any_name(tmp_path: Path, delimiter: str, name: str) -> None:
    rows = [
        ("The room, as such, was fine; really | truly", "good"),
        ('She said "no"', "bad"),
        ("Two\nlines", "bad"),
    ] * 4
    made = read_bytes(tmp_path, name, table(rows, ("review", "mood"), delimiter).encode())
    assert made.profile["delimiter"] == delimiter
    assert [(row["review"], row["mood"]) for row in made.rows] == [
        (text.replace("\n", "\n"), mood) for text, mood in rows
    ]


def test_values_survive_exactly_as_written(tmp_path: Path) -> None:
    content = "text,label,code\nfirst text here,NA,00123\nsecond text here,null,1.50\nthird text here,None,nan\n"
    made = read_bytes(tmp_path, "a.csv", content.encode())
    assert [(row["label"], row["code"]) for row in made.rows] == [("NA", "00123"), ("null", "1.50"), ("None", "nan")]


def test_a_file_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    rows = [("what a lovely stay this was", "pos"), ("never again, the bed was broken", "neg")] * 5
    content = "".join(f"{text}\t{label}\n" for text, label in rows)
    made = read_bytes(tmp_path, "a.tsv", content.encode())
    assert made.profile["header"] is False
    assert made.names == ["column_1", "column_2"]
    assert len(made.rows) == 10


def test_numeric_labels_without_header(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.csv", b"a fine film,1\na dull film,0\nfine again,1\ndull again,0\n")
    assert len(made.rows) == 4


def test_header_without_a_name_for_the_index_column(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.csv", b"text,label\n1,a fine film to see,pos\n2,a dull film to miss,neg\n")
    assert made.names == ["column_1", "text", "label"]
    assert made.rows[1]["label"] == "neg"


def test_repeated_empty_and_strange_header_names(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.csv", "text,,te\u202ext ,a\x07b\nsome words,1,2,3\nmore words,4,5,6\n".encode())
    assert made.names == ["text", "column_2", "text_2", "ab"]


def test_broken_rows_are_left_out_and_told_by_line(tmp_path: Path) -> None:
    lines = ["text,label"] + [f"a good sentence number {n},pos" for n in range(30)]
    lines[10] = "this one has, a comma too much,pos"
    lines[20] = "this one has no label at all"
    lines[5] = '"this one, with quotes, is fine",pos'
    lines[25] = '"this quote is never closed,neg'
    made = read_bytes(tmp_path, "a.csv", "\r\n".join(lines).encode())
    assert len(made.rows) == 27
    assert made.problem("data_broken_long")["examples"] == [[11, lines[10]]]
    assert made.problem("data_broken_short")["examples"] == [[21, lines[20]]]
    assert made.problem("data_broken_quote")["examples"] == [[26, lines[25]]]


def test_line_numbers_count_lines_inside_quotes(tmp_path: Path) -> None:
    content = 'text,label\n"two\nlines",a\n"and\nthree\nlines",b\nbroken line\nfine,a\n'
    made = read_bytes(tmp_path, "a.csv", content.encode())
    assert made.problem("data_broken_short")["values"]["line"] == 7
    assert [row["text"] for row in made.rows] == ["two\nlines", "and\nthree\nlines", "fine"]


def test_quotes_that_quote_nothing_are_kept(tmp_path: Path) -> None:
    rows = ['"Hello" he said\tgreeting', 'he said "bye"\tparting', '"Bye" again\tparting', '5" screen\tother'] * 3
    made = read_bytes(tmp_path, "a.tsv", ("text\tlabel\n" + "\n".join(rows) + "\n").encode())
    assert made.rows[0]["text"] == '"Hello" he said'
    assert len(made.rows) == 12
    assert made.profile["problems"] == []


def test_plain_text_is_one_row_a_line(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.txt", b"It was late, and dark.\n\nNobody came.\nThen, at last, a light, far off.\n")
    assert made.names == ["text"]
    assert [row["text"] for row in made.rows][1] == "Nobody came."
    assert made.profile["format"] == "txt"


def test_one_column_csv_with_commas_in_its_text(tmp_path: Path) -> None:
    made = read_bytes(tmp_path, "a.csv", b"text\nwell, well\nno comma\none, two, three\n")
    assert [row["text"] for row in made.rows] == ["well, well", "no comma", "one, two, three"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path: Path, ending: str) -> None:
    made = read_bytes(tmp_path, "a.csv", ending.join(["text,label", "one two,a", "three four,b"]).encode())
    assert [row["label"] for row in made.rows] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "data_empty"),
        ("a.csv", b" \n\n ", "data_empty"),
        ("a.csv", b"\xef\xbb\xbf", "data_empty"),
        ("a.csv", b"text,label\n", "data_no_rows"),
        ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "data_is_picture"),
        ("a.csv", b"\xff\xd8\xff\xe0" + bytes(range(256)), "data_is_picture"),
        ("a.txt", b"%PDF-1.7 some text", "data_is_document"),
        ("a.csv", b"\x1f\x8b\x08\x00" + bytes(99), "data_damaged"),
        ("a.csv", b"7z\xbc\xaf\x27\x1c" + bytes(99), "data_is_archive"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "data_is_old_excel"),
        ("a.csv", b"\x80\x04\x95" + bytes(99), "data_is_model"),
        ("a.csv", b'\x40\x00\x00\x00\x00\x00\x00\x00{"a": 1}', "data_is_model"),
        ("a.csv", b"ARROW1\x00\x00" + bytes(99), "data_is_arrow"),
        ("a.csv", b"\x7fELF" + bytes(99), "data_is_binary"),
        ("a.txt", bytes(range(256)) * 40, "data_is_binary"),
        ("a.csv", b"text,label\nwith \x00 inside,1\n" * 3, "data_is_binary"),
        ("a.xls", b"<html><table><tr><td>1</td></tr></table></html>", "data_is_markup"),
        ("a.csv", b"text,label\n" + b"x" * 10_000_000, "data_line_too_long"),
        ("a.txt", b"x" * 10_000_000, "data_line_too_long"),
        ("a.csv", b",".join(b"c%d" % n for n in range(3_000)) + b"\n" + b"," * 2_999, "data_too_many_columns"),
        ("a.csv", b"," * 1_000_000 + b"\n", "data_too_many_columns"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_bytes(tmp_path, name, content)
    assert caught.value.code == code
    assert all(name in caught.value.parts(language)[0] for language in ("en", "zh"))
