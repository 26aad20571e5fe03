"""How a test checks that an error speaks: its code, the values it saw, cause and remedy, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from studio.errors import UserError
from studio.problem import Problem
from studio.runs.view import RunView
from studio.web.describe import failure
from studio.words import LANGUAGES, catalogue, say_parts

_BLANK = re.compile(r"\{(\w+)[^}]*\}")


def check_spoken(error: UserError, code: str, **values: Any) -> None:
    """The error is `code`, was filled with exactly these values, and says them in three sentences in each language.

    A value may be a compiled pattern, which is searched in what was filled in; all values have to be given.
    """
    assert error.code == code, f"{error.code}: {error.text()}"
    _check_values(f"error.{code}", error.values, values)
    for language in LANGUAGES:
        parts = error.parts(language)
        assert len(parts) == 3
        _check_text(" ".join(parts), error.values, values)


def check_answer(answer: dict[str, Any], code: str, language: str, **values: Any) -> None:
    """What a route of the page answered is the error `code` in `language`, filled with these values."""
    assert answer["parts"] == say_parts(f"error.{code}", language, **values)
    assert len(answer["parts"]) == 3
    _check_values(f"error.{code}", values, values)
    _check_text(answer["text"], values, values)


def check_ended(view: RunView, code: str, **values: Any) -> None:
    """A run ended with the error `code`, filled with these values, and the page can say so."""
    assert view.error == code
    for language in LANGUAGES:
        parts = failure(view, language)
        assert parts is not None
        check_answer({"parts": parts, "text": " ".join(parts)}, code, language, **values)


def check_problem(found: Iterable[Problem], code: str, severity: str, field: str, **values: Any) -> Problem:
    """Exactly one of `found` is `code`; it has this severity and field and says these values in both languages.

    `count` is a value as any other, where the sentence has a blank for it.
    """
    (problem,) = [one for one in found if one.code == code]
    assert (problem.severity, problem.field) == (severity, field)
    filled = {**problem.values, "count": problem.count}
    _check_values(f"problem.{code}", filled, values)
    for language in LANGUAGES:
        _check_text(problem.text(language), filled, values)
    return problem


def _check_values(entry: str, filled: dict[str, Any], wanted: dict[str, Any]) -> None:
    texts = catalogue()[entry]["en"]
    blanks = set(_BLANK.findall(texts if isinstance(texts, str) else " ".join(texts)))
    assert wanted.keys() == blanks, f"{entry} says {sorted(blanks)}"
    for name, value in wanted.items():
        if isinstance(value, re.Pattern):
            assert value.search(str(filled[name])), f"{name} is {filled[name]!r}"
        else:
            assert filled[name] == value, f"{name} is {filled[name]!r}"


def _check_text(text: str, filled: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in wanted:
        value = filled[name]
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)
        assert shown.strip()
        assert shown in text
