"""Settings given as words, `option=value` or `group.option=value`, sorted into what a draft takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import UserError
from studio.methods.base import methods
from studio.options import options_of
from studio.spec import COLUMN_SPLITS, SPLITS, Split
from studio.tasks.base import tasks
from studio.training.options import TrainingOptions

_SHARES = ("validation", "test", "seed")


@dataclass
class Settings:
    """`options` by group, `columns` by role, what is set of the split, and the run's name."""

    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def split_of(self, known: Split) -> Split:
        """`known` with what was set here. Raises UserError (`split_how_missing`) for a column that nothing goes by."""
        made = Split.sent({**dataclasses.asdict(known), **self.split})
        if self.split.get("column") and not made.column:
            raise UserError("split_how_missing", column=self.split["column"], known=list(COLUMN_SPLITS))
        return made


def known_options(task: str, method: str) -> dict[str, list[str]]:
    """Names of options by group; without a method those of all methods."""
    chosen = [methods.get(method)] if method and method != "baseline" else list(methods)
    names = {name for item in chosen for name in _names(item.Options, "method")}
    return {
        "training": _names(TrainingOptions, "training"),
        "task": _names(tasks.get(task).Options, "task") if task else [],
        "method": sorted(names),
    }


def _names(options: type, group: str) -> list[str]:
    return [item.name for item in options_of(options, group)]


def read_settings(words: Sequence[str], task: str, method: str) -> Settings:
    """Read `--set` words. Besides options: `name=`, `seed=`, `split.validation=`, `split.test=`, `split.how=` (one of
    SPLITS), `split.column=`, `column.<role>=`.

    Raises UserError (`setting_unreadable`, `setting_unknown`, `unknown_key` for a way to split that there is not).
    Values are checked where the options are.
    """
    found = Settings()
    known = known_options(task, method)
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError("setting_unreadable", word=word[:80])
        group, dot, option = name.partition(".")
        if name == "name":
            found.name = value
        elif name == "split.how" and value not in SPLITS:
            raise UserError("unknown_key", kind="split.how", key=value[:40], near=SPLITS[0], known=list(SPLITS))
        elif name in ("split.how", "split.column"):
            found.split[option] = value
        elif name == "seed" or (group == "split" and option in _SHARES):
            found.split[option or "seed"] = _number(word, value)
        elif group == "column" and option:
            found.columns[option] = value
        else:
            group, option = (group, option) if dot else (_group(name, known), name)
            if option not in known.get(group, []):
                raise UserError("setting_unknown", name=name[:80], known=_all(known))
            found.options.setdefault(group, {})[option] = value
    return found


def _group(name: str, known: dict[str, list[str]]) -> str:
    return next((group for group, names in known.items() if name in names), "")


def _all(known: dict[str, list[str]]) -> list[str]:
    return [f"{group}.{name}" for group, names in known.items() for name in names]


def _number(word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UserError("setting_unreadable", word=word[:80]) from None
