"""Columns nothing can be learnt from: always the same, empty, or a different identifier in every row."""

from __future__ import annotations

from collections.abc import Iterator

from studio.data.doctor.base import Finding, Told, findings
from studio.data.mending import Chosen
from studio.problem import Problem
from studio.tasks.earlier import GROUPING

_BESIDE = frozenset(role.key for role in GROUPING)
"""Roles of columns that no model reads."""


class UselessColumns(Finding):
    key = "columns_useless"
    order = 90
    covers = ("columns_identifier",)

    def told(self) -> Iterator[Told]:
        kinds = {column: self.case.kinds.get(column, "") for column in self.case.layout.columns}
        for column in self.case.roles:
            if kinds[column] == "id" and self.case.roles[column] not in _BESIDE:
                values = {"column": column}
                yield Told(Problem("columns_identifier", "warning", self.case.field(column), 1, values=values))
        unused = [name for name, kind in kinds.items() if kind in ("constant", "empty", "id")]
        unused = [name for name in unused if name not in self.case.roles]
        if unused and self.case.roles:
            problem = Problem(self.key, "note", "data", len(unused), values={"columns": unused})
            yield Told(problem, (Chosen("drop_columns", {"columns": unused}),))


findings.register(UselessColumns)
