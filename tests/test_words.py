"""The catalogue: both languages, the same blanks to fill, and an entry for everything that is declared or raised."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from studio.evaluation.kinds.base import judges
from studio.methods.base import methods
from studio.options import options_of
from studio.tasks.base import tasks
from studio.training.options import TrainingOptions
from studio.words import LANGUAGES, catalogue, has, say, say_parts

STUDIO = Path(__file__).parent.parent / "studio"
WEB = Path(__file__).parent.parent / "assets" / "web"
BLANK = re.compile(r"\{(\w+)[^}]*\}")


def texts(entry: str | list[str]) -> list[str]:
    return [entry] if isinstance(entry, str) else entry


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_entry_speaks_both_languages_with_the_same_blanks(code):
    entry = catalogue()[code]
    blanks = {}
    for language in LANGUAGES:
        spoken = texts(entry[language])
        assert all(text.strip() for text in spoken), f"{code} has an empty sentence in {language}"
        blanks[language] = {name for text in spoken for name in BLANK.findall(text)}
    assert blanks["en"] == blanks["zh"], f"{code} fills other blanks in Chinese"
    assert type(entry["en"]) is type(entry["zh"])


@pytest.mark.parametrize("code", [code for code in sorted(catalogue()) if code.startswith("error.")])
def test_error_says_what_why_and_what_to_do(code):
    for language in LANGUAGES:
        assert len(catalogue()[code][language]) == 3, f"{code} needs three sentences in {language}"


def raised_codes() -> set[str]:
    """Codes given to UserError as literals anywhere in the package."""
    found = set()
    for file in STUDIO.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id == "UserError" and isinstance(first, ast.Constant):
                    found.add(f"error.{first.value}")
                if node.func.id == "Problem" and isinstance(first, ast.Constant):
                    found.add(f"problem.{first.value}")
    return found


def test_every_code_in_the_source_has_its_sentences():
    missing = sorted(code for code in raised_codes() if not has(code))
    assert not missing, f"no words for {missing}"


def named_codes() -> set[str]:
    """Codes of errors and problems that some test names as a literal; this file and its helper only talk about them."""
    found = set()
    for file in Path(__file__).parent.rglob("*.py"):
        if file.name not in ("test_words.py", "spoken.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value, f"error.{node.value}", f"problem.{node.value}"}
    return found


def test_every_error_and_problem_is_triggered_by_a_test():
    """A sentence nobody has seen come up may be wrong, or may never come up: trigger it, or take it out."""
    codes = {code for code in catalogue() if code.startswith(("error.", "problem."))} | raised_codes()
    missing = sorted(codes - named_codes())
    assert not missing, f"no test triggers {missing}"


def test_every_word_the_page_speaks_is_there():
    spoken = set()
    for file in WEB.rglob("*.js"):
        spoken |= set(re.findall(r"""say\("([a-z_.0-9]+[a-z0-9])"[,)]""", file.read_text(encoding="utf-8")))
    for file in (STUDIO / "web").rglob("*.py"):
        spoken |= set(re.findall(r"""(?:page\.t|say)\(\s*"([a-z_.0-9]+)"[,)]""", file.read_text(encoding="utf-8")))
    missing = sorted(code for code in spoken if not has(code))
    assert len(spoken) > 100
    assert not missing, f"no words for {missing}"


def test_everything_declared_has_a_name_and_a_sentence():
    wanted = []
    for task in tasks:
        wanted += [f"task.{task.key}.title", f"task.{task.key}.blurb", f"metric.{task.main_metric}"]
        wanted += [f"role.{task.key}.{role.key}" for role in task.roles]
        wanted += [code for item in options_of(task.Options, "task") for code in (item.code, f"{item.code}_help")]
    for judge in judges:
        wanted += [f"metric.{name}{end}" for name in judge.metrics for end in ("", "_help")]
        wanted += [f"ladder.{key}{end}" for key in judge.simple() for end in ("", "_help")]
    for method in methods:
        wanted += [f"method.{method.key}.title", f"method.{method.key}.blurb"]
        wanted += [code for item in options_of(method.Options, "method") for code in (item.code, f"{item.code}_help")]
    wanted += [code for item in options_of(TrainingOptions, "training") for code in (item.code, f"{item.code}_help")]
    missing = [code for code in wanted if not has(code)]
    assert not missing, f"no words for {missing}"


def test_values_are_filled_in_and_lists_joined():
    assert (
        say("problem.option_not_choice", name="x", value="y", choices=["a", "b"])
        == "x cannot be 'y'. Choose one of: a, b."
    )
    assert len(say_parts("error.bad_id", "zh", value="?")) == 3


def test_a_large_number_is_written_whole():
    values = {"rows": 18, "difference": 1005.9, "low": 908.2, "high": 1_128_000.0}
    told = say("verdict.base.better_detail", "en", **values)
    assert "the gain is 1,006 (908 to 1,128,000)" in told
    assert "0.0123" in say("verdict.base.better_detail", "en", **{**values, "difference": 0.01234})


def test_an_unknown_code_is_a_bug_not_a_blank():
    with pytest.raises(KeyError):
        say("no.such.code")
