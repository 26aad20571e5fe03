"""Two texts side by side: which columns of a file are a pair, and how a model that reads both at once gets them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from studio.tasks.base import Item, Role, Row, Rows

if TYPE_CHECKING:
    from studio.data.roles import Column

FIRST = Role(
    "first", ("first", "sentence1", "text1", "text_a", "question1", "premise", "query", "句子1", "文本1", "前提")
)
SECOND = Role(
    "second", ("second", "sentence2", "text2", "text_b", "question2", "hypothesis", "passage", "句子2", "文本2", "假设")
)
_NUMBERED = re.compile(r"(?P<stem>.*?)_?(?P<end>1|2|a|b|一|二|甲|乙|first|second|left|right)")
_ENDS = (("1", "2"), ("a", "b"), ("一", "二"), ("甲", "乙"), ("first", "second"), ("left", "right"))
_STEMS = frozenset(
    "sentence sent text question query title utterance phrase doc document paragraph summary string s q t"
    " 句子 文本 问题 语句 标题 句 文 问".split()
)
"""What is numbered to make a pair; a stem that is no word for a text ("answer_1", "option_a") is left out."""
_KNOWN = (
    ("premise", "hypothesis"),
    ("question", "passage"),
    ("question", "paragraph"),
    ("question", "sentence"),
    ("query", "passage"),
    ("query", "document"),
    ("query", "paragraph"),
    ("claim", "evidence"),
    ("first", "second"),
    ("left", "right"),
    ("前提", "假设"),
    ("问题", "段落"),
    ("查询", "文档"),
    ("第一句", "第二句"),
)
_MOST_OFFERS = 6
_SHOWN = 160


def pair_of(columns: Sequence[Column]) -> tuple[str, str] | None:
    """The two text columns whose headers say that they are a pair; None where none or several do."""
    from studio.data.roles import plain_header

    # A question that stands beside several passages recurs and may look like a label.
    texts = {plain_header(one): str(one["name"]) for one in columns if one["kind"] in ("text", "label")}
    found = [(texts[one], texts[other]) for one, other in _KNOWN if one in texts and other in texts]
    split = {name: match for name in texts if (match := _NUMBERED.fullmatch(name))}
    for (one, before), (other, after) in combinations(split.items(), 2):
        ends = (before["end"], after["end"])
        if before["stem"] == after["stem"] and before["stem"] in _STEMS and (ends in _ENDS or ends[::-1] in _ENDS):
            found.append((texts[one], texts[other]) if ends in _ENDS else (texts[other], texts[one]))
    return found[0] if len(found) == 1 else None


def text_pairs(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """The pair that headers tell, else all pairs of text columns in the order of the file, as answers to a question."""
    told = pair_of(columns)
    texts = [str(one["name"]) for one in columns if one["kind"] == "text"]
    return [told] if told else list(combinations(texts, 2))[:_MOST_OFFERS]


def joined(row: Row) -> str:
    """Both texts as one, a line each."""
    return f"{row.get('first') or ''}\n{row.get('second') or ''}".strip("\n")


def beside(row: Row) -> str:
    """Both texts on one line, as a button shows them."""
    return " ↔ ".join(" ".join((row.get(role.key) or "").split())[:_SHOWN] for role in (FIRST, SECOND))


def pair_ties(row: Row) -> list[str]:
    """The pair, in its order and in neither: the same two texts the other way round stay in one part of the split."""
    one, other = row.get("first") or "", row.get("second") or ""
    return [joined(row), "\n".join(sorted((one, other)))]


def gap_of(tokenizer: Any) -> str:
    """What has to stand between two texts where a tokenizer puts no mark of its own there: an empty line."""
    marks = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    return "" if marks else "\n\n"


def encode_pairs(rows: Rows, tokenizer: Any, prefix: str, max_length: int) -> list[Item]:
    """An item a row, both texts in one sequence of at most `max_length` tokens; the longer text is cut first."""
    if not rows:
        return []
    gap = gap_of(tokenizer)
    firsts = [prefix + (row.get("first") or "") + gap for row in rows]
    seconds = [row.get("second") or "" for row in rows]
    encoded = tokenizer(firsts, seconds, truncation="longest_first", max_length=max_length)
    items: list[Item] = [{"input_ids": ids} for ids in encoded["input_ids"]]
    for item, kinds in zip(items, encoded.get("token_type_ids") or (), strict=False):
        item["token_type_ids"] = kinds
    return items


def encode_beside(rows: Rows, tokenizer: Any, prefix: str, max_length: int) -> list[Item]:
    """An item a row, each text encoded by itself, one after the other in `input_ids`; `cut` is where the second begins.
    Together they are at most `max_length` tokens; the longer text is cut first, to no less than half of them."""
    if not rows:
        return []
    half, sides = max(max_length // 2, 1), []
    for role in ("first", "second"):
        texts = [prefix + (row.get(role) or "") for row in rows]
        sides.append(tokenizer(texts, truncation=True, max_length=max_length)["input_ids"])
    items: list[Item] = []
    blank = [tokenizer.pad_token_id or 0]
    for one, other in zip(*sides, strict=True):
        over = len(one) + len(other) - max_length
        if over > 0:
            room = max(half, max_length - len(other)), max(half, max_length - len(one))
            one, other = _shortened(one, room[0], tokenizer), _shortened(other, room[1], tokenizer)
        # A text without any token still needs one position to be pooled over.
        one, other = one or blank, other or blank
        items.append({"input_ids": [*one, *other], "cut": len(one)})
    return items


def _shortened(ids: list[int], most: int, tokenizer: Any) -> list[int]:
    """The first `most` tokens, keeping a closing mark such as [SEP] or </s> at the end."""
    if len(ids) <= most:
        return ids
    last = ids[-1]
    closing = last in (tokenizer.sep_token_id, tokenizer.eos_token_id)
    return [*ids[: most - 1], last] if closing and most > 1 else ids[:most]
