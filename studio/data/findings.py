"""All that is wrong with a data set for a use, as one list: what `checks` says of columns and split, and what the
doctor found in all rows, with its remedies. The doctor works in a limited child; what it said is kept beside the
version."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from studio.data.doctor.base import Told, findings
from studio.data.doctor.personal import Personal
from studio.data.process import Progress
from studio.data.queries import check
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.data.versions import kinds_of, run_job
from studio.files import write_whole
from studio.problem import Problem
from studio.workspace import Workspace

log = logging.getLogger(__name__)
DOCTOR = 2
"""Part of the name under which findings are kept: a doctor that finds differently looks again."""
_GRAVE = ("error", "warning", "note")


def known(version: DataVersion, use: Use) -> list[Told] | None:
    """What the doctor found for this use, or None while it has not looked."""
    try:
        raw = json.loads(_kept(version, use.task, use.columns).read_text("utf-8"))
        return [Told.from_json(told) for told in raw["told"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def examine(workspace: Workspace, version: DataVersion, use: Use, emit: Progress | None = None) -> list[Told]:
    """What the doctor finds for this use; it looks once. Raises UserError for what ends the work badly."""
    found = known(version, use)
    if found is not None:
        return found
    job = {"kind": "examine", "source": str(version.folder), "task": use.task, "columns": use.columns}
    told = run_job(workspace, version, {**job, "kinds": kinds_of(version)}, emit)
    try:
        write_whole(_kept(version, use.task, use.columns), json.dumps(told, ensure_ascii=False))
    except OSError as error:
        # A full disk, or a version deleted meanwhile: the answer is as good, and is only asked for again.
        log.warning("the findings of %s were not kept: %s", version.version, error)
    return [Told.from_json(one) for one in told["told"]]


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
    both = [Told(problem) for problem in problems if problem.code not in covered] + doctor
    return sorted(both, key=lambda told: _GRAVE.index(told.problem.severity))


def _kept(version: DataVersion, task: str, columns: Mapping[str, str]) -> Path:
    asked = json.dumps([DOCTOR, task, sorted(columns.items())]).encode()
    return version.folder / f"doctor-{hashlib.sha256(asked).hexdigest()[:16]}.json"
