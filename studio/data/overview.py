"""What a data set is, in a few sentences: codes and values made of the facts that the doctor counted on its way.

Facts are JSON: {"rows", "columns", "lacking": rows without something required} always; where there is such a column
"lengths" {"column", "low", "half", "high": quartiles in characters, "longest"}, "labels" {"column", "labels", "rows",
"most", "high", "least", "low"}, "languages" {"looked": texts, "counts": [[language, texts]], the commonest first},
"repeated": rows that repeat an earlier one, and "frequent" [[row from 1, times, cells]] with "frequent_columns".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Sentence = tuple[str, dict[str, Any]]
_EVEN = 1.5
"""How many times commoner than the rarest the commonest of even labels is at most."""
_NEARLY_ALL = 0.98


def sentences(facts: Mapping[str, Any]) -> list[Sentence]:
    """(code, values) of each sentence, in their order."""
    told = [_size(facts), _lengths(facts), _labels(facts), _languages(facts), _repeats(facts)]
    return [one for one in told if one is not None]


def _size(facts: Mapping[str, Any]) -> Sentence:
    values = {name: facts[name] for name in ("rows", "columns", "lacking")}
    return ("web.about.size_lacking" if facts["lacking"] else "web.about.size"), values


def _lengths(facts: Mapping[str, Any]) -> Sentence | None:
    lengths = facts.get("lengths")
    if not lengths:
        return None
    same = lengths["low"] == lengths["longest"]
    return f"web.about.lengths{'_same' if same else ''}", dict(lengths)


def _labels(facts: Mapping[str, Any]) -> Sentence | None:
    labels = facts.get("labels")
    if not labels:
        return None
    values = {**labels, "share": _percent(labels["high"], labels["rows"])}
    if labels["labels"] == 1:
        return "web.about.label_one", values
    return f"web.about.labels_{'even' if labels['high'] <= _EVEN * labels['low'] else 'uneven'}", values


def _languages(facts: Mapping[str, Any]) -> Sentence | None:
    languages = facts.get("languages")
    if not languages or not languages["counts"]:
        return None
    (main, count), *others = languages["counts"]
    told = sum(rows for _, rows in languages["counts"])
    values = {"language_code": f"web.about.language.{main}", "share": _percent(count, told), "told": told}
    if not others:
        return "web.about.language_one", values
    second, rows = others[0]
    values |= {"second_code": f"web.about.language.{second}", "second_share": _percent(rows, told)}
    return ("web.about.language_nearly" if count >= _NEARLY_ALL * told else "web.about.language_mixed"), values


def _repeats(facts: Mapping[str, Any]) -> Sentence | None:
    if "repeated" not in facts:
        return None
    if not facts["repeated"]:
        return "web.about.repeats_none", {}
    row, times, _ = facts["frequent"][0]
    return "web.about.repeats", {"repeated": facts["repeated"], "row": row, "times": times}


def _percent(part: int, whole: int) -> str:
    """A share as people say it: never 0 or 100 for what is neither."""
    share = 100 * part / whole
    if part == whole or 1 <= share <= 99:
        return f"{share:.0f}"
    return "> 99.9" if share > 99.95 else "< 0.1" if share < 0.05 else f"{share:.1f}"
