"""Which two columns of a file are a text and what was written from it: translations and summaries, told by headers and,
for translations, by the languages of the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.tasks.languages import NAMES, guess_language, script_of

if TYPE_CHECKING:
    from studio.data.roles import Column, Suggestion
    from studio.tasks.base import Task

_CHINESE = {
    "zh": "中文 汉语 华语 简体中文",
    "en": "英文 英语",
    "ja": "日文 日语 日本語",
    "ko": "韩文 韩语 한국어",
    "fr": "法文 法语 français",
    "de": "德文 德语 deutsch",
    "es": "西班牙文 西班牙语 español",
    "ru": "俄文 俄语 русский",
    "it": "意大利文 意大利语 italiano",
    "pt": "葡萄牙文 葡萄牙语 português",
    "ar": "阿拉伯文 阿拉伯语",
    "th": "泰文 泰语",
    "vi": "越南文 越南语",
}
LANGUAGE_OF = {
    **{name.lower(): code for code, name in NAMES.items()},
    **{code: code for code in NAMES},
    **{name: code for code, names in _CHINESE.items() for name in names.split()},
}
"""Header word (lower case) -> language code."""
_MOST_APART = 6.0
"""How many times longer a translation may be than its original."""


def language_of_header(name: str) -> str:
    """The language a header names: "en", "text_zh", "zh-CN", "英文"; "" for none."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in LANGUAGE_OF:
        return LANGUAGE_OF[plain]
    parts = [part for part in plain.split("_") if part]
    found = {LANGUAGE_OF[part] for part in (*parts[:1], *parts[-1:]) if part in LANGUAGE_OF}
    return found.pop() if len(found) == 1 and len(parts) > 1 else ""


def named_pair(columns: Sequence[Column], asked: Sequence[str], answered: Sequence[str]) -> tuple[str, str] | None:
    """The two text columns whose headers are among the words for each side."""
    texts = {_plain(column): str(column["name"]) for column in _texts(columns)}
    one = next((name for name in asked if name in texts), None)
    other = next((name for name in answered if name in texts and name != one), None)
    return (texts[one], texts[other]) if one and other else None


def language_pair(columns: Sequence[Column]) -> tuple[str, str] | None:
    """Two text columns in two languages, by their headers or, where there are only two, by their cells; in the order of
    the file."""
    texts = _texts(columns)
    named = [(str(column["name"]), language_of_header(str(column["name"]))) for column in texts]
    told = [(name, language) for name, language in named if language]
    if len(told) == 2 and told[0][1] != told[1][1]:
        return told[0][0], told[1][0]
    if len(texts) != 2 or any(column["kind"] == "label" for column in texts):
        return None
    languages = [guess_language(column["examples"]) for column in texts]
    lengths = [max(float(column["mean_length"]), 1.0) for column in texts]
    # Two languages in one script are too easily mistaken to be taken without asking.
    if (
        not all(languages)
        or {*map(script_of, languages)} == {script_of(languages[0])}
        or max(lengths) > _MOST_APART * min(lengths)
    ):
        return None
    return str(texts[0]["name"]), str(texts[1]["name"])


def two_texts(columns: Sequence[Column]) -> list[Column]:
    """The two text columns of a file that has exactly two and no labels, else []."""
    texts = _texts(columns)
    return texts if len(texts) == 2 and all(column["kind"] == "text" for column in texts) else []


def only_texts(columns: Sequence[Column], chosen: Sequence[str]) -> bool:
    """Whether no other column could be something to learn: only ids, dates and descriptions of rows are left."""
    rest = [column for column in columns if str(column["name"]) not in chosen]
    return not any(column["kind"] in ("text", "label", "chat") and _plain(column) not in _BESIDE for column in rest)


_BESIDE = frozenset(
    "context comment note notes id lang language split source_file url licence license author 备注".split()
)


def pair_suggestion(task: Task, chosen: tuple[str, str], reason: str) -> Suggestion:
    """The first role is read, the last is written."""
    from studio.data.roles import Suggestion

    columns = dict(zip((task.roles[0].key, task.roles[-1].key), chosen, strict=True))
    values = {"first": chosen[0], "second": chosen[1]}
    return Suggestion(task.key, columns, True, f"data.reason.{reason}", values)


def _texts(columns: Sequence[Column]) -> list[Column]:
    # Short recurring strings of an interface ("Save", "OK") look like labels.
    return [column for column in columns if column["kind"] in ("text", "label")]


def _plain(column: Column) -> str:
    return str(column["name"]).strip().lower().replace("-", "_").replace(" ", "_")
