"""Runs all findings over a version's rows in one pass, inside the limited child."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from studio.data.doctor.base import Case, Finding, Told, findings
from studio.data.mending import Chosen, Source, layout_of
from studio.data.steps.base import PLACE
from studio.errors import UserError
from studio.tasks.base import tasks

MARKS = frozenset({"label", "labels", "entities", "answers", "start", "impossible"})
"""Roles whose cells say something of a text and are no prose: what is written there is not examined as a text."""


def examined(source: Source, job: dict[str, Any], emit: Callable[[int, int], None]) -> dict[str, Any]:
    """{"told": [as JSON], "facts": what describes the data, "alike": groups of places (from 0) of rows that say nearly
    the same, "asked": the columns they were compared by} for {"task", "columns" (role -> column), "kinds"}; `emit`
    hears rows."""
    case = case_of(source, job["task"], job["columns"], job["kinds"])
    looking = _looked(case, emit)
    told = [_able(told, case).to_json() for one in looking for told in one.told()]
    facts = {name: value for one in looking for name, value in one.facts().items()}
    near = facts.pop("alike", [])
    return {"told": told, "facts": facts, "alike": near, "asked": list(case.asked)}


def case_of(source: Source, task: str, columns: dict[str, str], kinds: dict[str, str]) -> Case:
    """What is examined for this use. Raises UserError for an unknown task."""
    member, layout = tasks.get(task), layout_of(source, kinds)
    roles = {column: role for role, column in columns.items() if column in layout.columns}
    label = columns.get("label", "") if columns.get("label") in layout.columns else ""
    # The columns of a task's roles in the order of the roles: the first is what is asked.
    ordered = [columns[role.key] for role in member.roles if columns.get(role.key) in layout.columns]
    texts = tuple(column for column in ordered if roles[column] not in MARKS and column not in layout.structured)
    needed = {role.key for role in member.roles if role.required and not role.blank}
    asked = tuple(column for column in texts if roles[column] in needed) or texts
    required = tuple(column for column in ordered if roles[column] in needed)
    return Case(source, layout, kinds, roles, texts, label, source.rows(), asked, required)


def examine_case(case: Case, emit: Callable[[int, int], None]) -> list[Told]:
    """What all findings say, in their order."""
    return [_able(told, case) for one in _looked(case, emit) for told in one.told()]


def _looked(case: Case, emit: Callable[[int, int], None]) -> list[Finding]:
    """All findings once they have seen all rows."""
    case = dataclasses.replace(case, alive=lambda: emit(case.rows, case.rows))
    looking = [finding(case) for finding in findings]
    for frame in case.source.frames():
        for one in looking:
            one.see(frame)
        if frame.height:
            emit(int(frame.get_column(PLACE)[-1]) + 1, case.rows)
    return looking


def _able(told: Told, case: Case) -> Told:
    """Without a remedy that the columns do not allow: one that is offered works."""
    try:
        for chosen in told.fix:
            step, options = Chosen.from_json(chosen.to_json()).read()
            step.check(options, case.layout)
    except UserError:
        return dataclasses.replace(told, fix=())
    return told
