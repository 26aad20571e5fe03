"""Questions about paragraphs, nested as SQuAD, CMRC and MRQA keep them, as rows: one question with its paragraph each.

Only the shape of a file is its business; what an answer says is read by `answers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CONTEXTS = ("context", "context_text", "paragraph", "passage")
QUESTIONS = ("question", "query_text", "query")
_IDS = ("id", "qid", "query_id")
_TITLES = ("title", "context_id")
_ANSWERS = ("answers", "detected_answers", "answer")
Row = dict[str, Any]


def is_nested(value: Any) -> bool:
    """Whether an object holds a paragraph with its questions, or paragraphs that do."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("qas"), list):
        return True
    paragraphs = value.get("paragraphs")
    return isinstance(paragraphs, list) and any(isinstance(one, Mapping) and "qas" in one for one in paragraphs[:20])


def rows(value: Mapping[str, Any]) -> Iterator[Row | None]:
    """A row a question of an object for which `is_nested` holds, in their order: `id`, `title`, `context`, `question`,
    `answers`, and `is_impossible` where the data say it. None stands for what is no question with a paragraph."""
    title = _first(value, _TITLES)
    for paragraph in value["paragraphs"] if isinstance(value.get("paragraphs"), list) else [value]:
        inside = isinstance(paragraph, Mapping)
        asked = paragraph.get("qas") if inside else None
        context = _first(paragraph, CONTEXTS) if inside else None
        if not isinstance(asked, list):
            yield None
            continue
        for one in asked:
            question = _first(one, QUESTIONS) if isinstance(one, Mapping) else None
            if not (isinstance(context, str) and isinstance(question, str)):
                yield None
                continue
            yield {
                "id": _first(one, _IDS),
                "title": title,
                "context": context,
                "question": question,
                "answers": _plain(_first(one, _ANSWERS)),
                **({"is_impossible": one["is_impossible"]} if "is_impossible" in one else {}),
            }


def _plain(answers: Any) -> Any:
    """{"text": [...], "answer_start": [...]}, as flat files have it; anything else as it is, so that it can be told."""
    if answers is None or answers == "":
        return {"text": [], "answer_start": []}
    if isinstance(answers, str):
        return {"text": [answers], "answer_start": []}
    if not isinstance(answers, list):
        return answers
    if all(isinstance(one, str) for one in answers):
        return {"text": answers, "answer_start": []}
    if not all(isinstance(one, Mapping) and isinstance(one.get("text"), str) for one in answers):
        return answers
    starts = [_start(one) for one in answers]
    whole = all(start is not None for start in starts)
    return {"text": [one["text"] for one in answers], "answer_start": starts if whole else []}


def _start(answer: Mapping[str, Any]) -> Any:
    """Where an answer begins; MRQA counts its characters as [[first, last]]."""
    if "answer_start" in answer:
        return answer["answer_start"]
    spans = answer.get("char_spans")
    if isinstance(spans, list) and spans and isinstance(spans[0], list) and spans[0]:
        return spans[0][0]
    return None


def _first(part: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((part[key] for key in keys if part.get(key) is not None), None)
