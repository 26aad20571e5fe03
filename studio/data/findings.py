"""All that is wrong with a data set for a use, as one list: what `checks` says of columns and split, and what the
doctor found in all rows, with its remedies. The doctor works in a limited child; what it said is kept beside the
version."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.doctor.base import Told, findings
from studio.data.doctor.personal import Personal
from studio.data.kept import keep, kept
from studio.data.leaks import LIKENESS
from studio.data.mending import Chosen
from studio.data.process import Progress
from studio.data.queries import check
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.data.versions import kinds_of, run_job
from studio.problem import Problem
from studio.workspace import Workspace

_GRAVE = ("error", "warning", "note")


def known(version: DataVersion, use: Use) -> list[Told] | None:
    """What the doctor found for this use, or None while it has not looked."""
    raw = kept(version, use.task, use.columns)
    return None if raw is None else [Told.from_json(told) for told in raw["told"]]


def examine(workspace: Workspace, version: DataVersion, use: Use, emit: Progress | None = None) -> list[Told]:
    """What the doctor finds for this use; it looks once. Raises UserError for what ends the work badly."""
    found = known(version, use)
    if found is not None:
        return found
    job = {"kind": "examine", "source": str(version.folder), "task": use.task, "columns": use.columns}
    raw = run_job(workspace, version, {**job, "kinds": kinds_of(version)}, emit)
    # A version deleted meanwhile, or a full disk: the answer is as good, and is only asked for again.
    keep(version, use.task, use.columns, raw)
    return [Told.from_json(told) for told in raw["told"]]


def counted(version: DataVersion, use: Use, problems: list[Problem]) -> list[Problem]:
    """The problems, those of personal data as the doctor counted them where it has looked at all rows."""
    doctor = known(version, use)
    codes = (Personal.key, *Personal.covers)
    if doctor is None:
        return problems
    told = [told.problem for told in doctor if told.problem.code in codes and told.problem.field != "data"]
    return [problem for problem in problems if problem.code not in codes] + told


def diagnosis(version: DataVersion, use: Use, doctor: list[Told] | None) -> list[Told]:
    """The whole list, the gravest first. What the doctor looks for is not said twice; without it (None) `checks` says
    what it knows."""
    problems = check(version, use.task, use.columns, use.split)
    if doctor is None:
        return [Told(problem) for problem in problems]
    covered = {code for finding in findings for code in (finding.key, *finding.covers)}
    asked = (kept(version, use.task, use.columns) or {}).get("asked", [])
    both = [_mended(problem, use, asked) for problem in problems if problem.code not in covered] + doctor
    return sorted(both, key=lambda told: _GRAVE.index(told.problem.severity))


def _mended(problem: Problem, use: Use, asked: Sequence[str]) -> Told:
    """What `checks` says of the split, with the step that mends it."""
    given = {"column": use.split.column, "columns": list(asked)}
    if not asked:
        return Told(problem)
    if problem.code == "split_repeated":
        return Told(problem, (Chosen("drop_leaks", {**given, "likeness": 1.0}),))
    if problem.code == "split_near" and use.split.how == "given":
        return Told(problem, (Chosen("drop_leaks", {**given, "likeness": LIKENESS}),))
    if problem.code == "split_near":
        label = use.columns.get("label", "")
        options = {"column": asked[0], "likeness": LIKENESS, "label": label}
        return Told(problem, (Chosen("drop_near_duplicates", options),))
    return Told(problem)
