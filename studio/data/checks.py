"""Everything wrong with a data set for a use, all at once: counts, example rows, how bad it is. It changes nothing.

What only a task knows (one label, no answer) it says itself; here stand the findings that any task shares.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

from studio.data.exposed import exposed
from studio.data.kept import kept_path
from studio.data.leaks import near_leak, rows_at
from studio.data.placing import says_parts
from studio.data.split import CELL, Formula, Gathered, gather, normalised
from studio.data.store import DataVersion, each_row, read_rows
from studio.data.threads import thread_problems
from studio.data.unlearnt import outside, told
from studio.errors import UserError
from studio.problem import Problem
from studio.spec import Split
from studio.tasks.base import Row, Task, tasks

CHECKED = 100_000
"""Rows that are looked at; of larger data an even sample of that size."""
_EXAMPLES = 5
_FEW = 40
"""Usable rows below which nothing learnt can be trusted."""
_FEW_TEST = 30
_LONG_TOKENS = 512
Numbered = tuple[int, Row]
Columns = tuple[tuple[str, str], ...]
"""Role and column, sorted, so that answers can be remembered by it."""


@dataclass(frozen=True)
class Shares:
    """The split of a version as a run will make it: usable rows in all and by part, labels the test rows lack, and
    what was too common to keep rows together."""

    usable: int
    sizes: Mapping[str, int]
    untested: tuple[str, ...]
    formulas: tuple[Formula, ...]
    left: int = 0
    """Usable rows in no part, since their text stands in another one; see `placing.Placed`."""
    unread: int = 0
    shared: int = 0
    """Rows whose text stands in several conversations, which it could not keep together."""
    unlearnt: tuple[str, ...] = ()
    """Labels of the other parts that no training row has."""
    unlearnt_at: tuple[int, ...] = ()
    """The first few rows with such a label, by their place (from 0) among the usable ones."""
    left_at: tuple[int, ...] = ()
    """The first few of the rows left out, likewise."""


def check(version: DataVersion, task: str, columns: Mapping[str, str], split: Split) -> list[Problem]:
    """All problems of a version for a task with `columns` (role -> column), errors first.

    What was found is remembered by version and columns: other shares read no row again. Raises UserError for an
    unknown task.
    """
    member, chosen = tasks.get(task), chosen_columns(columns)
    found = _choice(version, member, dict(chosen))
    if not found:
        found = [*_looked(version, task, chosen), *_split(member, version, chosen, split)]
    found += [Problem.from_json(raw) for raw in version.profile()["problems"]]
    return sorted(found, key=lambda problem: ("error", "warning", "note").index(problem.severity))


def shares(version: DataVersion, task: str, columns: Mapping[str, str], split: Split) -> Shares:
    """The parts a run would get, by the function that divides its rows. All rows pass by once, then it is remembered.

    Raises UserError (unknown task or column), ValueError for shares that cannot be.
    """
    return _shares(version, task, chosen_columns(columns), split)


def chosen_columns(columns: Mapping[str, str]) -> Columns:
    """Columns by role as a key that answers are remembered by."""
    return tuple(sorted((role, column) for role, column in columns.items() if column))


@lru_cache(maxsize=16)
def _looked(version: DataVersion, key: str, columns: Columns) -> tuple[Problem, ...]:
    """What is wrong with the rows, whatever the split."""
    task, chosen = tasks.get(key), dict(columns)
    places = looked_places(version.rows)
    rows = read_rows(version, chosen, places)
    usable = [(number, row) for number, row in enumerate(rows, 1) if task.usable(row)]
    found = [*task.problems(rows), *_rows(task, rows, usable, chosen), *exposed(version, rows, chosen)]
    found += thread_problems(version, chosen)
    if places is not None:
        found = [_renumbered(problem, places) for problem in found]
        found.append(Problem("rows_sampled", "note", "data", len(places), values={"rows": version.rows}))
    return tuple(found)


@lru_cache(maxsize=1)
def _gathered(version: DataVersion, key: str, columns: Columns, seed: int, column: str) -> Gathered:
    """All rows, passed by once; kept for one data set only, since of a million rows it is some hundred megabytes."""
    task = tasks.get(key)
    wanted = {**dict(columns), CELL: column}
    return gather(task, (row for row in each_row(version, wanted) if task.usable(row)), seed, bool(column))


@lru_cache(maxsize=64)
def _shares(version: DataVersion, key: str, columns: Columns, split: Split) -> Shares:
    found = _gathered(version, key, columns, split.seed, split.column).divide(split)
    labels, sizes = found.labels, {part: len(places) for part, places in found.parts.items()}
    tested = [labels[place] for place in found.parts["test"]] if labels else []
    untested = sorted(_names(key, labels) - _names(key, tested)) if labels else []
    usable = sum(sizes.values()) + found.left
    unlearnt, places = outside(tasks.get(key).kind, labels, found.parts) if labels else ((), ())
    placed = set(chain.from_iterable(found.parts.values())) if found.left else set()
    left = tuple(islice((place for place in range(usable) if place not in placed), _EXAMPLES)) if found.left else ()
    formulas = tuple(found.formulas)
    counts = (found.left, found.unread, found.shared)
    return Shares(usable, sizes, tuple(untested), formulas, *counts, unlearnt, places, left)


@lru_cache(maxsize=16)
def _near(version: DataVersion, key: str, columns: Columns, split: Split, looked: int) -> Problem | None:
    """Rows that nearly cross the split; `looked` is when the doctor did."""
    parts = _gathered(version, key, columns, split.seed, split.column).divide(split).parts
    return near_leak(version, tasks.get(key), dict(columns), parts)


def _names(key: str, truths: Sequence[str]) -> set[str]:
    """The label names in truths of a task's kind."""
    kind = tasks.get(key).kind
    return {name for truth in set(truths) for name in kind.names(truth)}


def looked_places(rows: int) -> list[int] | None:
    """The rows to look at where there are too many for the memory of a page: some, spread evenly."""
    return None if rows <= CHECKED else [place * rows // CHECKED for place in range(CHECKED)]


def _renumbered(problem: Problem, places: Sequence[int]) -> Problem:
    """The problem with row numbers of the file instead of those among the rows looked at."""
    values = dict(problem.values)
    if "row" in values:
        values["row"] = places[values["row"] - 1] + 1
    examples = tuple((places[number - 1] + 1, text) for number, text in problem.examples)
    return dataclasses.replace(problem, examples=examples, values=values)


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: four Latin characters or one other character each."""
    plain = len(text.encode("ascii", "ignore"))
    return plain // 4 + len(text) - plain


def _choice(version: DataVersion, task: Task, chosen: dict[str, str]) -> list[Problem]:
    """What is wrong with the columns themselves."""
    found = [
        Problem("role_missing", "error", f"columns.{role.key}", values={"role_code": f"role.{task.key}.{role.key}"})
        for role in task.roles
        if role.required and role.key not in chosen
    ]
    found += task.column_problems(chosen)
    for role, column in chosen.items():
        if column not in version.columns:
            values = {"column": column, "known": list(version.columns)[:30]}
            found.append(Problem("column_unknown", "error", f"columns.{role}", values=values))
    for column, times in Counter(chosen.values()).items():
        if times > 1:
            found.append(Problem("column_twice", "error", "columns", times, values={"column": column}))
    return found


def _rows(task: Task, rows: Sequence[Row], usable: Sequence[Numbered], chosen: Mapping[str, str]) -> list[Problem]:
    """What is wrong with single rows. `usable` are those that can be learnt from, with their numbers from 1."""
    found = []
    for role in task.roles:
        if role.required and not role.blank:
            empty = [number for number, row in enumerate(rows, 1) if not (row.get(role.key) or "").strip()]
            if empty:
                shown = tuple((number, _shown(rows[number - 1])) for number in empty[:_EXAMPLES])
                values = {"column": chosen[role.key], "row": empty[0]}
                severity = "error" if len(empty) == len(rows) else "warning"
                found.append(Problem("cells_missing", severity, f"columns.{role.key}", len(empty), shown, values))
    if len(usable) < _FEW:
        found.append(Problem("rows_few", "warning", "data", len(usable), values={"wanted": _FEW}))
    found += _repeated(task, usable)
    found += task.kind.problems(task, rows, usable)
    whole = ((number, task.whole(row)) for number, row in usable if task.cuts)
    long = [(number, text) for number, text in whole if estimated_tokens(text) > _LONG_TOKENS]
    if long:
        shown = tuple((number, text[:160]) for number, text in long[:_EXAMPLES])
        longest = max(len(text) for _, text in long)
        code = "rows_long_parts" if task.one_window else "rows_long"
        found.append(Problem(code, "note", "data", len(long), shown, {"row": long[0][0], "longest": longest}))
    return found


def _repeated(task: Task, usable: Sequence[Numbered]) -> list[Problem]:
    """Rows that say the same twice, and rows that ask the same but answer differently."""
    answers: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for number, row in usable:
        text = task.whole(row)
        answers[normalised(text)].append((number, text, task.truth(row) or ""))
    repeats = {key: group for key, group in answers.items() if len(group) > 1}
    found = []
    same = [(number, text) for group in repeats.values() for number, text, _ in group[1:]]
    if same:
        shown = tuple((number, text[:160]) for number, text in same[:_EXAMPLES])
        found.append(Problem("rows_repeated", "note", "data", len(same), shown, {"row": same[0][0]}))
    if task.kind.strings:
        torn = [group for group in repeats.values() if len({answer for _, _, answer in group}) > 1]
        if torn:
            shown = tuple((n, f"{text[:120]} → {answer}") for group in torn for n, text, answer in group)[
                : 2 * _EXAMPLES
            ]
            values = {"row": torn[0][0][0], "texts": len(torn)}
            field = f"columns.{task.roles[-1].key}"
            found.append(Problem("rows_contradict", "warning", field, sum(map(len, torn)), shown, values))
    return found


def _split(task: Task, version: DataVersion, columns: Columns, split: Split) -> list[Problem]:
    """What is wrong with the shares, or with the parts they give."""
    if min(split.validation, split.test) <= 0 or split.validation + split.test >= 1:
        asked = {"validation": split.validation, "test": split.test}
        return [Problem("split_shares", "error", "split", values=asked)]
    if split.column and split.column not in version.columns:
        known = {"column": split.column, "known": list(version.columns)[:30]}
        return [Problem("column_unknown", "error", "split", values=known)]
    try:
        given = _shares(version, task.key, columns, split)
    except UserError as error:
        values = dict(error.values)
        return [Problem(f"error.{error.code}", "error", "split", values.pop("count", 0), values=values)]
    empty = [part for part, rows in given.sizes.items() if not rows]
    if empty and given.usable and split.how == "group":
        values = {"column": split.column, "parts": empty}
        return [Problem("split_groups_few", "error", "split", given.usable, values=values)]
    if empty and given.usable and "thread" in dict(columns):
        values = {"column": dict(columns)["thread"], "parts": empty}
        return [Problem("split_groups_few", "error", "split", given.usable, values=values)]
    if empty and given.usable:
        return [Problem("split_empty", "error", "split", given.usable, values={"parts": empty})]
    found = _by_column(version, task, dict(columns), split, given)
    looked = kept_path(version, task.key, dict(columns))
    if looked.is_file() and (near := _near(version, task.key, columns, split, looked.stat().st_mtime_ns)):
        found.append(near)
    tested, unseen = given.sizes["test"], given.untested
    if 0 < tested < _FEW_TEST:
        found.append(Problem("split_few_test", "note", "split", tested, values={"wanted": _FEW_TEST}))
    if unseen and given.usable > len(unseen):
        shown = {"labels": list(unseen[:_EXAMPLES])}
        found.append(Problem("split_label_untested", "note", "split", len(unseen), values=shown))
    if given.unlearnt and given.sizes["train"]:
        found.append(told(version, task, dict(columns), given.unlearnt, given.unlearnt_at))
    if given.shared:
        values = {"column": dict(columns)["thread"]}
        found.append(Problem("split_texts_shared", "note", "split", given.shared, values=values))
    if given.formulas:
        text, rows = given.formulas[0]
        values = {"text": " → ".join(" ".join(part.split())[:60] for part in text.split("\0")), "rows": rows}
        found.append(Problem("split_formula", "note", "split", len(given.formulas), values=values))
    return found


def _by_column(
    version: DataVersion, task: Task, columns: Mapping[str, str], split: Split, given: Shares
) -> list[Problem]:
    """What a column that splits could not do, or that there is one which says the parts and is not asked."""
    found = []
    if given.left:
        shown = tuple((n, task.whole(row)[:160]) for n, row in rows_at(version, task, columns, given.left_at))
        found.append(Problem("split_repeated", "note", "split", given.left, shown, {"column": split.column}))
    if given.unread:
        found.append(Problem("split_times_missing", "warning", "split", given.unread, values={"column": split.column}))
    if split.how != "given" and (column := given_column(version)):
        found.append(Problem("split_column_there", "note", "split", values={"column": column}))
    return found


def given_column(version: DataVersion) -> str:
    """The first column whose every value names a part of the split, or ""."""
    for column in version.profile()["columns"]:
        values = [value for value, _ in column["top"]]
        if column["distinct"] == len(values) and not column["missing"] and says_parts(values):
            return str(column["name"])
    return ""


def _shown(row: Row) -> str:
    return next((text[:160] for text in row.values() if text), "")
