"""What a finding is: it sees all rows once, batch after batch, and says what is wrong and which step mends it.

A finding's code is that of a problem (`problem.<code>`); where `studio.data.checks` has the same code, or one that a
finding `covers`, the doctor's word counts, because it has seen all rows and knows the remedy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data.mending import Chosen, Source
from studio.data.steps.base import PLACE, Layout
from studio.problem import Problem
from studio.registry import Registry

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5
SHOWN = 160
"""Characters of an example."""
LOOKED_AT = 50_000
"""Rows that a costly finding looks at, spread evenly; the others look at all."""


@dataclass(frozen=True)
class Case:
    """What is examined: rows and how they are used. `texts` are the columns read as plain text, `label` the column of
    labels or ""; `roles` maps columns to roles."""

    source: Source
    layout: Layout
    kinds: dict[str, str]
    roles: dict[str, str]
    texts: tuple[str, ...]
    label: str
    rows: int
    asked: tuple[str, ...] = ()
    """Of the texts, those by which two rows are the same."""
    required: tuple[str, ...] = ()
    """Columns without which a row cannot be learnt from."""
    alive: Callable[[], None] = lambda: None
    """To be called now and then by a finding that works for long once all rows were seen."""

    @property
    def stride(self) -> int:
        """Every how many rows a costly finding looks."""
        return max(1, -(-self.rows // LOOKED_AT))

    def field(self, column: str) -> str:
        return f"columns.{self.roles[column]}" if column in self.roles else "data"


@dataclass(frozen=True)
class Told:
    """What a finding says, and the steps that mend it (none: nobody can but a person)."""

    problem: Problem
    fix: tuple[Chosen, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"problem": self.problem.to_json(), "fix": [step.to_json() for step in self.fix]}

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Told:
        fix = tuple(Chosen(step["step"], step["options"]) for step in raw["fix"])
        return Told(Problem.from_json(raw["problem"]), fix)


class Finding(ABC):
    """One kind of trouble, while it looks through one data set."""

    key: ClassVar[str]
    order: ClassVar[int] = 100
    covers: ClassVar[tuple[str, ...]] = ()
    """Further codes of problems that this finding says better."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def see(self, frame: pl.DataFrame) -> None:  # noqa: B027
        """The next batch: the data's columns beside PLACE."""

    @abstractmethod
    def told(self) -> Iterator[Told]:
        """What was found once all rows were seen."""

    def facts(self) -> dict[str, Any]:
        """What was counted on the way and describes the data (see `studio.data.overview`); asked after `told`."""
        return {}


@dataclass
class Seen:
    """Cells of a column in which something was found."""

    count: int = 0
    first: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def add(self, place: int, text: str) -> None:
        self.count += 1
        self.first = self.first or place + 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((place + 1, text[:SHOWN]))


class CellFinding(Finding):
    """A finding about single cells of the texts: one problem a column."""

    severity: ClassVar[str] = "warning"
    step: ClassVar[str]

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._seen = {column: Seen() for column in case.texts}

    def hits(self, cells: pl.Series) -> pl.Series:
        """Whether each cell shows the trouble; null counts as no."""
        import polars as pl

        return pl.Series([text is not None and self.hit(text) for text in cells.to_list()], dtype=pl.Boolean)

    def hit(self, text: str) -> bool:
        raise NotImplementedError

    def see(self, frame: pl.DataFrame) -> None:
        for column, seen in self._seen.items():
            found = frame.select(PLACE, column).filter(self.hits(frame.get_column(column)).fill_null(False))
            for place, text in found.iter_rows():
                seen.add(place, text)

    def told(self) -> Iterator[Told]:
        for column, seen in self._seen.items():
            if seen.count:
                values = {"column": column, "row": seen.first}
                where = self.case.field(column)
                problem = Problem(self.key, self.severity, where, seen.count, tuple(seen.examples), values)
                yield Told(problem, (Chosen(self.step, {"columns": [column]}),))


findings: Registry[type[Finding]] = Registry("finding", "studio.data.doctor")
