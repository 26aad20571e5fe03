"""Personal data left in what a model would be trained on, from a look at some of the rows: a warning, never a bar.

The doctor says the same of all rows, column by column (`studio.data.doctor.personal`), and its word counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from studio.data.privacy import find
from studio.data.store import DataVersion
from studio.problem import Problem
from studio.tasks.base import Row

LOOKED_AT = 20_000
"""Rows that are looked at, spread evenly."""
_EXAMPLES = 5
_SHOWN = 160
_READ = ("text", "chat")
"""Kinds of columns that hold what people wrote."""


def exposed(version: DataVersion, rows: Sequence[Row], chosen: Mapping[str, str]) -> list[Problem]:
    """One problem for each chosen column (role -> column) with personal data in the texts of `rows`."""
    kinds = {column["name"]: column["kind"] for column in version.profile()["columns"]}
    step = max(1, -(-len(rows) // LOOKED_AT))
    found = []
    for role, column in chosen.items():
        if kinds.get(column) not in _READ:
            continue
        seen: list[tuple[int, str]] = []
        counts: Counter[str] = Counter()
        for number, row in list(enumerate(rows, 1))[::step]:
            text = row.get(role)
            if text and (marks := find(text)):
                seen.append((number, text[max(0, marks[0].start - 40) :][:_SHOWN]))
                counts.update({mark.kind for mark in marks})
        if seen:
            told = [(f"data.personal.{kind}", {"count": count}) for kind, count in counts.most_common()]
            values = {"column": column, "row": seen[0][0], "kinds_codes": told}
            code = "personal_data"
            if step > 1:
                code, values = "personal_data_some", {**values, "looked": -(-len(rows) // step)}
            found.append(Problem(code, "warning", f"columns.{role}", len(seen), tuple(seen[:_EXAMPLES]), values))
    return found


def redactable(version: DataVersion, columns: Mapping[str, str]) -> bool:
    """Whether the step that redacts could edit what was found: no conversation, and nothing that counts characters."""
    kinds = {column["name"]: column["kind"] for column in version.profile()["columns"]}
    used = {kinds.get(column) for column in columns.values()}
    return "text" in used and not used & {"chat", "spans"}
