"""Every code of the data room has its words, in both languages, and no word is left over."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import studio
from studio.words import LANGUAGES, catalogue

ROOT = Path(studio.__file__).parent
ROOM = sorted(file for room in ("data", "kinds", "tasks") for file in (ROOT / room).glob("*.py"))
"""The data room, and the tasks and kinds that find problems of their own in its data."""
OWN = tomllib.loads((ROOT / "words" / "data.toml").read_text("utf-8"))


def source() -> str:
    return "\n".join(path.read_text("utf-8") for path in ROOM)


@pytest.mark.parametrize("area", ["error", "problem"])
def test_every_entry_is_used(area: str) -> None:
    text = source()
    kinds = set(re.findall(r'"([a-z_]+)"\)?,$|kind = "([a-z_]+)"', text, re.MULTILINE))
    named = {one or other for one, other in kinds}
    for code in OWN[area]:
        assert f'"{code}"' in text or code.removeprefix("data_is_") in named, code


def test_every_error_raised_has_an_entry() -> None:
    raised = set(re.findall(r'(?:UserError|ChatFault)\(\s*"([a-z_]+)"', source()))
    assert len(raised) > 20
    assert {code for code in raised if f"error.{code}" not in catalogue()} == set()


def test_every_problem_made_has_an_entry() -> None:
    made = set(re.findall(r'(?:Problem|Broken)\(\s*"([a-z_]+)"', source()))
    assert len(made) > 20
    assert {code for code in made if f"problem.{code}" not in catalogue()} == set()


def test_errors_have_three_sentences_and_the_same_values_in_both_languages() -> None:
    for area in ("error", "problem", "data"):
        for code, entry in catalogue().items():
            if not code.startswith(f"{area}.") or code.split(".")[1] not in OWN[area]:
                continue
            values = [set(re.findall(r"{(\w+)}", str(entry[language]))) for language in LANGUAGES]
            assert values[0] == values[1], code
            if area == "error":
                assert [len(entry[language]) for language in LANGUAGES] == [3, 3], code
