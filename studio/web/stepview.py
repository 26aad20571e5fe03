"""Findings, steps and versions of the data workshop as the page draws them: JSON in the words of one language."""

from __future__ import annotations

from typing import Any

from studio.data import versions
from studio.data.doctor.base import Told
from studio.data.steps.base import steps
from studio.data.store import DataVersion
from studio.options import Option, options_of
from studio.runs.desk import Desk
from studio.words import has, say

_SHOWN = 40
"""Characters of a text that a step puts in another's place."""


def shown_finding(told: Told, lang: str) -> dict[str, Any]:
    """A finding as the page draws it."""
    problem = told.problem
    return {
        "code": problem.code,
        "severity": problem.severity,
        "text": problem.text(lang),
        "count": problem.count,
        "examples": [list(example) for example in problem.examples],
        "fix": [step.to_json() for step in told.fix],
        "remedy": " + ".join(say(f"step.{step.key}.title", lang) for step in told.fix),
    }


def told_line(told: dict[str, Any], lang: str, before: int) -> str:
    """What a step did, in one sentence."""
    parts = [
        say(f"web.data.did_{name}", lang, n=told[name]) for name in ("changed", "dropped", "added") if told.get(name)
    ]
    done = " · ".join(parts) if parts else say("web.data.did_nothing", lang)
    return say("web.data.did", lang, done=done, rows=told["rows"])


def shown_steps(version: DataVersion, lang: str) -> list[dict[str, Any]]:
    shown = []
    for step, examples in zip(version.steps, versions.changes_of(version), strict=False):
        title = say(f"step.{step['step']}.title", lang)
        about = _told_options(str(step["step"]), dict(step["options"]), lang)
        shown.append({"title": title, "about": about, "line": told_line(dict(step), lang, 0), "examples": examples})
    return shown


def _told_options(key: str, values: dict[str, Any], lang: str) -> str:
    """The options of a step that are not what they are anyway, in words."""
    told = []
    for item in options_of(steps.get(key).Options, "step"):
        value = values.get(item.name, item.default)
        usual = list(item.default) if isinstance(item.default, tuple) else item.default
        if item.name in steps.get(key).untold or value in (item.default, usual, ""):
            continue
        if item.kind in ("column", "columns"):
            told.append(", ".join([value] if isinstance(value, str) else value))
        elif item.kind == "pairs":
            shown = ", ".join(f"{_short(old)!r} → {_short(new)!r}" for old, new in value[:4])
            told.append(shown + (" …" if len(value) > 4 else ""))
        elif item.kind == "names":
            told.append(f"{say(item.code, lang)}: {', '.join(value)}")
        elif item.kind == "choice":
            told.append(_choice(item, str(value), lang))
        else:
            told.append(f"{say(item.code, lang)}: {value}")
    return " · ".join(told)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _choice(item: Option, key: str, lang: str) -> str:
    code = f"{item.code}_{key.replace('-', '_')}"
    return say(code, lang) if has(code) else key


def declared_step(key: str, lang: str) -> dict[str, Any]:
    step = steps.get(key)
    options = [
        {
            "name": item.name,
            "kind": item.kind,
            "label": say(item.code, lang),
            "help": say(f"{item.code}_help", lang),
            "default": item.default,
            "low": item.low,
            "high": item.high,
            "step": item.step,
            "choices": [[choice, _choice(item, choice, lang)] for choice in item.choices],
        }
        for item in options_of(step.Options, "step")
    ]
    return {
        "key": key,
        "title": say(f"step.{key}.title", lang),
        "blurb": say(f"step.{key}.blurb", lang),
        "family": say(f"step.family.{step.family}", lang),
        "options": options,
    }


def shown_version(desk: Desk, one: DataVersion, current: DataVersion, lang: str) -> dict[str, Any]:
    runs = desk.store.runs_of_data(one.version)
    titles = [say(f"step.{step['step']}.title", lang) for step in one.steps]
    return {
        "version": one.version,
        "current": one.version == current.version,
        "root": not one.root,
        "title": say("web.data.as_brought", lang) if not one.root else say("web.data.with_steps", lang, n=len(titles)),
        "last": titles[-1] if titles else "",
        "rows": one.rows,
        "created": one.created,
        "owner": desk.people.name_of(one.owner),
        "runs": runs[:5],
    }
