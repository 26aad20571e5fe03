"""Several files as one table: the same columns, one file after the other, and a column that says which row is whose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from studio.data.rows import Table, tidy_columns
from studio.errors import UserError
from studio.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "file"
"""The name of that column, unless the files have one of that name."""
_NAMED = 12
"""Columns that are named where files differ."""
_EXAMPLES = 5


class Joined:
    """Collects what was read of each file. Of a single one it is that file's table, without a further column."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._names: list[str] = []
        self._abouts: list[dict[str, Any]] = []
        self._problems: dict[str, Problem] = {}
        self.used = (0, 0)
        """Rows and decoded bytes so far: the limits hold for all files together."""

    def add(self, name: str, table: Table, about: dict[str, Any]) -> None:
        """The next file, read. Raises UserError (`data_columns_differ`, and what `Table.finish` raises)."""
        made = table.finish()
        if self._tables and set(made.column_names) != set(self._tables[0].column_names):
            raise _differ(self._names[0], self._tables[0].column_names, name, made.column_names)
        self._tables.append(made)
        self._names.append(name)
        self._abouts.append(about)
        self.used = table.used
        for problem in table.problems():
            known = self._problems.get(problem.code)
            self._problems[problem.code] = _together(known, problem) if known else problem

    def table(self) -> pa.Table:
        """All rows in the first file's order of columns."""
        import pyarrow as pa

        if len(self._tables) == 1:
            return self._tables[0]
        names = self._tables[0].column_names
        whole = pa.concat_tables([table.select(names) for table in self._tables])
        if len(set(self._names)) == 1:
            return whole
        files = [name for name, table in zip(self._names, self._tables, strict=True) for _ in range(table.num_rows)]
        whole = whole.append_column(FILE, pa.array(files, pa.large_string()))
        return whole.rename_columns(tidy_columns([*names, FILE]))

    def about(self) -> dict[str, Any]:
        """Format, encoding, delimiter and header of the files; what they do not share is named side by side."""
        return {
            "format": _all(about["format"] for about in self._abouts),
            "encoding": _all(about["encoding"] for about in self._abouts),
            "delimiter": self._abouts[0]["delimiter"],
            "header": all(about["header"] for about in self._abouts),
        }

    def problems(self) -> list[Problem]:
        """What was found while reading, one problem a kind."""
        return list(self._problems.values())


def _all(values: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(value for value in values if value))


def _together(one: Problem, other: Problem) -> Problem:
    examples = (*one.examples, *other.examples)[:_EXAMPLES]
    return Problem(one.code, one.severity, one.field, one.count + other.count, examples, one.values)


def _differ(first: str, has: list[str], second: str, found: list[str]) -> UserError:
    return UserError(
        "data_columns_differ",
        first=first,
        columns=has[:_NAMED],
        second=second,
        others=found[:_NAMED],
    )
