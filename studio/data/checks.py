"""Everything wrong with a data set for a use, all at once: counts, example rows, how bad it is. It changes nothing.

What only a task knows (one label, no answer) it says itself; here stand the findings that any task shares.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from studio.data import chat
from studio.data.labels import label_problems
from studio.data.profile import histogram
from studio.data.split import normalised, split_rows
from studio.data.store import DataVersion, read_rows
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


def check(version: DataVersion, task: str, columns: Mapping[str, str], split: Split) -> list[Problem]:
    """All problems of a version for a task with `columns` (role -> column), errors first.

    Reads the rows once; asked again with the same values it answers from memory. Raises UserError for an unknown task.
    """
    return list(_check(version, task, tuple(sorted(columns.items())), split))


@lru_cache(maxsize=16)
def _check(version: DataVersion, key: str, columns: tuple[tuple[str, str], ...], split: Split) -> tuple[Problem, ...]:
    task = tasks.get(key)
    chosen = {role: column for role, column in columns if column}
    found = _choice(version, task, chosen)
    if not found:
        places = _places(version.rows)
        rows = read_rows(version, chosen, places)
        usable = [(number, row) for number, row in enumerate(rows, 1) if task.usable(row)]
        found = [*task.problems(rows), *_rows(task, rows, usable, chosen), *_split(task, usable, split)]
        if places is not None:
            found = [_renumbered(problem, places) for problem in found]
            found.append(Problem("rows_sampled", "note", "data", len(places), values={"rows": version.rows}))
    found += [Problem.from_json(raw) for raw in version.profile()["problems"]]
    return tuple(sorted(found, key=lambda problem: ("error", "warning", "note").index(problem.severity)))


def _places(rows: int) -> list[int] | None:
    """The rows to look at where there are too many for the memory of a page: some, spread evenly."""
    return None if rows <= CHECKED else [place * rows // CHECKED for place in range(CHECKED)]


def _renumbered(problem: Problem, places: Sequence[int]) -> Problem:
    """The problem with row numbers of the file instead of those among the rows looked at."""
    values = dict(problem.values)
    if "row" in values:
        values["row"] = places[values["row"] - 1] + 1
    examples = tuple((places[number - 1] + 1, text) for number, text in problem.examples)
    return dataclasses.replace(problem, examples=examples, values=values)


def label_counts(version: DataVersion, column: str) -> list[tuple[str, int]]:
    """(label, rows) of a column, the commonest first; blank cells are left out. Raises UserError (unknown column)."""
    cells = (row["label"] for row in read_rows(version, {"label": column}))
    counts = Counter(cell for cell in cells if cell and cell.strip())
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def length_histogram(version: DataVersion, task: str, columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """("low–high" in characters, rows) of what the model reads, shortest first; [] where nothing can be read.

    Of data with more than CHECKED rows, an even sample.
    """
    member = tasks.get(task)
    rows = read_rows(version, columns, _places(version.rows))
    lengths = [len(text) for text in (_read_text(member, row) for row in rows) if text]
    bins = histogram(lengths)
    edges = [round(edge) for edge in bins["edges"]]
    return [(f"{low}–{high}", int(count)) for low, high, count in zip(edges, edges[1:], bins["counts"], strict=False)]


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
    if task.result == "chat" and "messages" not in chosen and not {"instruction", "output"} <= set(chosen):
        found.append(Problem("chat_columns_missing", "error", "columns"))
    if task.result == "chat" and "messages" in chosen and len(chosen) > 1:
        found.append(Problem("chat_columns_both", "error", "columns", values={"column": chosen["messages"]}))
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
        if role.required:
            empty = [number for number, row in enumerate(rows, 1) if not (row.get(role.key) or "").strip()]
            if empty:
                shown = tuple((number, _shown(rows[number - 1])) for number in empty[:_EXAMPLES])
                values = {"column": chosen[role.key], "row": empty[0]}
                severity = "error" if len(empty) == len(rows) else "warning"
                found.append(Problem("cells_missing", severity, f"columns.{role.key}", len(empty), shown, values))
    if task.result == "chat":
        # Rows without an answer are the task's own finding.
        found += [problem for problem in chat.problems(rows) if problem.code != "chat_no_answer"]
    if len(usable) < _FEW:
        found.append(Problem("rows_few", "warning", "data", len(usable), values={"wanted": _FEW}))
    found += _repeated(task, usable)
    if task.result == "labels":
        found += label_problems([(number, str(task.truth(row))) for number, row in usable])
    long = [(number, text) for number, row in usable if estimated_tokens(text := _read_text(task, row)) > _LONG_TOKENS]
    if long:
        shown = tuple((number, text[:160]) for number, text in long[:_EXAMPLES])
        longest = max(len(text) for _, text in long)
        found.append(Problem("rows_long", "note", "data", len(long), shown, {"row": long[0][0], "longest": longest}))
    return found


def _repeated(task: Task, usable: Sequence[Numbered]) -> list[Problem]:
    """Rows that say the same twice, and rows that ask the same but answer differently."""
    answers: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for number, row in usable:
        text = task.question(row) if task.result != "chat" else _read_text(task, row)
        answers[normalised(text)].append((number, text, task.truth(row) or ""))
    repeats = {key: group for key, group in answers.items() if len(group) > 1}
    found = []
    same = [(number, text) for group in repeats.values() for number, text, _ in group[1:]]
    if same:
        shown = tuple((number, text[:160]) for number, text in same[:_EXAMPLES])
        found.append(Problem("rows_repeated", "note", "data", len(same), shown, {"row": same[0][0]}))
    if task.result == "labels":
        torn = [group for group in repeats.values() if len({answer for _, _, answer in group}) > 1]
        if torn:
            shown = tuple((n, f"{text[:120]} → {answer}") for group in torn for n, text, answer in group)[
                : 2 * _EXAMPLES
            ]
            values = {"row": torn[0][0][0], "texts": len(torn)}
            found.append(Problem("rows_contradict", "warning", "columns.label", sum(map(len, torn)), shown, values))
    return found


def _split(task: Task, usable: Sequence[Numbered], split: Split) -> list[Problem]:
    """What is wrong with the shares, or with the parts they give."""
    if min(split.validation, split.test) <= 0 or split.validation + split.test >= 1:
        values = {"validation": split.validation, "test": split.test}
        return [Problem("split_shares", "error", "split", values=values)]
    labels = [task.truth(row) or "" for _, row in usable] if task.result == "labels" else None
    parts = split_rows([task.question(row) for _, row in usable], labels, split)
    empty = [part for part, places in parts.items() if not places]
    if empty and usable:
        return [Problem("split_empty", "error", "split", len(usable), values={"parts": empty})]
    found = []
    if 0 < len(parts["test"]) < _FEW_TEST:
        found.append(Problem("split_few_test", "note", "split", len(parts["test"]), values={"wanted": _FEW_TEST}))
    if labels is not None:
        unseen = sorted(set(labels) - {labels[place] for place in parts["test"]})
        if unseen and len(usable) > len(unseen):
            found.append(
                Problem("split_label_untested", "note", "split", len(unseen), values={"labels": unseen[:_EXAMPLES]})
            )
    return found


def _read_text(task: Task, row: Row) -> str:
    """All that the model reads of a row: the text, or the whole conversation."""
    if task.result != "chat":
        return task.question(row)
    try:
        messages: list[dict[str, Any]] = list(chat.as_messages(row, {role: role for role in row}))
    except chat.ChatFault:
        return ""
    return "\n".join(str(message["content"]) for message in messages)


def _shown(row: Row) -> str:
    return next((text[:160] for text in row.values() if text), "")
