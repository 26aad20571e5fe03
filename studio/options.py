"""Options: dataclass fields from which the form, the validation, `--help`, the docs and the saved JSON are drawn.

The label of an option is the catalogue's `option.<group>.<name>`, its help `option.<group>.<name>_help`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from studio.problem import Problem


def option(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
    advanced: bool = True,
    of: str = "",
) -> Any:
    """A dataclass field that is an option. `low`/`high` bound numbers, `choices` lists allowed strings.

    `of` names what the default's type cannot say: "column" (a column's name, or ""), "columns" (a tuple of names),
    "names" (a tuple of other names) or "pairs" (a tuple of (old, new) texts).
    """
    return field(
        default=default,
        metadata={"low": low, "high": high, "step": step, "choices": choices, "advanced": advanced, "of": of},
    )


@dataclass(frozen=True)
class Option:
    """One option as a form or a command line needs it. `kind` is "bool", "int", "float", "choice", "text", "column",
    "columns", "names" or "pairs"."""

    group: str
    name: str
    kind: str
    default: Any
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[str, ...]
    advanced: bool

    @property
    def code(self) -> str:
        return f"option.{self.group}.{self.name}"


def options_of(cls: type, group: str) -> list[Option]:
    """The options a dataclass declares, in order."""
    found = []
    for item in dataclasses.fields(cls):
        meta = item.metadata
        kind = meta["of"] or ("choice" if meta["choices"] else type(item.default).__name__.replace("str", "text"))
        found.append(
            Option(
                group,
                item.name,
                kind,
                item.default,
                meta["low"],
                meta["high"],
                meta["step"],
                meta["choices"],
                meta["advanced"],
            )
        )
    return found


def read_options(cls: type, group: str, raw: dict[str, Any]) -> tuple[Any, list[Problem]]:
    """An instance of `cls` from `raw` (strings or typed values), and every problem; a bad value keeps the default."""
    known = {item.name: item for item in options_of(cls, group)}
    problems = [
        Problem("option_unknown", "error", f"{group}.{name}", values={"name": name, "known": sorted(known)})
        for name in raw
        if name not in known
    ]
    values = {}
    for name, item in known.items():
        if name in raw:
            value, problem = _read(item, raw[name])
            if problem is None:
                values[name] = value
            else:
                problems.append(problem)
    return cls(**values), problems


def _read(item: Option, raw: Any) -> tuple[Any, Problem | None]:
    where = f"{item.group}.{item.name}"
    about = {
        "name": item.name,
        "value": raw,
        "low": item.low,
        "high": item.high,
        "choices": list(item.choices),
    }
    try:
        value = _cast(item.kind, raw)
    except (TypeError, ValueError, OverflowError):
        return None, Problem(f"option_not_{item.kind}", "error", where, values=about)
    if item.kind == "choice" and value not in item.choices:
        return None, Problem("option_not_choice", "error", where, values=about)
    if item.kind in ("int", "float"):
        if (
            value != value
            or (item.low is not None and value < item.low)
            or (item.high is not None and value > item.high)
        ):
            return None, Problem("option_out_of_bounds", "error", where, values=about)
    return value, None


_SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _cast(kind: str, raw: Any) -> Any:
    if kind == "bool":
        if isinstance(raw, bool):
            return raw
        if str(raw).lower() not in _SWITCH:
            raise ValueError(raw)
        return _SWITCH[str(raw).lower()]
    if kind == "int":
        if isinstance(raw, bool) or float(raw) != int(float(raw)):
            raise ValueError(raw)
        return int(float(raw))
    if kind in ("columns", "names"):
        return _texts([raw] if isinstance(raw, str) else raw)
    if kind == "pairs":
        return tuple((old, new) for old, new in (_texts(pair) for pair in raw))
    return float(raw) if kind == "float" else str(raw)


def _texts(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, (list, tuple)) or not all(isinstance(item, str) for item in raw):
        raise TypeError(raw)
    return tuple(raw)
