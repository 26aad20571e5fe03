"""What a step is: typed options, an optional look at all rows first, and a pure function over batches of rows.

A batch is a Polars frame of text columns beside PLACE, the row's place in the step's input. A step may drop rows, let a
row stand several times, or change cells; it never touches PLACE. What changed is counted by `studio.data.mending`, so
that no step can miscount.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from studio.errors import UserError
from studio.options import option
from studio.registry import Registry

if TYPE_CHECKING:
    import polars as pl

PLACE = "\x00place"
"""The hidden column. Names of real columns hold no control characters, so that none is called this."""


@dataclass(frozen=True)
class Frames:
    """All batches of the input, from the first row on each time it is called. `tell` hears which share, 0 to 1, of a
    long look at them is done."""

    read: Callable[[], Iterable[pl.DataFrame]]
    rows: int = 0
    tell: Callable[[float], None] = lambda share: None

    def __call__(self) -> Iterable[pl.DataFrame]:
        return self.read()


@dataclass(frozen=True)
class Layout:
    """What a step has to know of its input's columns: `texts` hold prose, `structured` hold JSON, `anchored` is the
    column (or "") whose JSON counts places in other columns' characters."""

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    structured: frozenset[str] = frozenset()
    anchored: str = ""
    origins: Any = field(default=None, compare=False, repr=False)
    """Each row's place (from 0) in the file it came from, int64 (rows,); None where the rows are the file's own."""

    def known(self, column: str) -> str:
        """`column` where it exists. Raises UserError (`step_column_unknown`)."""
        if column not in self.columns:
            raise UserError("step_column_unknown", column=column[:80], known=list(self.columns)[:30])
        return column

    def prose(self, chosen: Iterable[str]) -> list[str]:
        """The chosen columns, or all that hold prose. Raises UserError (`step_column_unknown`, `step_no_text`)."""
        found = [self.known(column) for column in chosen] or list(self.texts)
        if not found:
            raise UserError("step_no_text", known=list(self.columns)[:30])
        return found

    def text(self, column: str) -> str:
        """`column`, or the first that holds prose. Raises as `prose`."""
        return self.prose([column] if column else [])[0]

    def editable(self, chosen: Iterable[str]) -> list[str]:
        """`prose` whose text may be changed. Raises UserError (`step_structured`, `step_anchored`) besides."""
        found = self.prose(chosen)
        for column in found:
            if column in self.structured:
                raise UserError("step_structured", column=column)
        if self.anchored:
            raise UserError("step_anchored", column=found[0], spans=self.anchored)
        return found


class Step(ABC):
    """A step. Words: `step.<key>.title`, `step.<key>.blurb`, and `option.step.<name>` for its options."""

    key: ClassVar[str]
    order: ClassVar[int] = 100
    family: ClassVar[str]
    """"text", "rows", "labels", "columns" or "privacy": how the screen groups them."""
    listed: ClassVar[bool] = True
    """Whether the list of steps offers it."""
    surveyed: ClassVar[float] = 0.0
    """Share of the time that the look at all rows takes, where that is much and the step tells how far it is."""
    untold: ClassVar[tuple[str, ...]] = ()
    """Options that say nothing to people."""
    Options: ClassVar[type]
    """A frozen dataclass of `studio.options.option` fields; group "step"."""

    def check(self, options: Any, layout: Layout) -> None:
        """Raises UserError for options that do not fit these columns."""
        self.survey(Frames(list), options, layout)

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        """What has to be known of all rows before any is changed; None where a row is judged by itself."""
        return None

    @abstractmethod
    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        """The batch as the step leaves it. `found` is what `survey` returned."""


@dataclass(frozen=True)
class Texts:
    """Options of a step that edits texts and asks nothing else."""

    columns: tuple[str, ...] = option((), of="columns")


class TextStep(Step):
    """A step that changes the cells of some columns, each by itself."""

    family = "text"
    Options: ClassVar[type] = Texts

    def check(self, options: Any, layout: Layout) -> None:
        layout.editable(options.columns)
        self.prepare(options)

    def prepare(self, options: Any) -> Any:
        """What is made once from the options and handed to `edit`. Raises UserError for options that cannot be."""
        return None

    def survey(self, frames: Frames, options: Any, layout: Layout) -> Any:
        return self.prepare(options)

    def apply(self, frame: pl.DataFrame, options: Any, layout: Layout, found: Any) -> pl.DataFrame:
        return frame.with_columns(
            self.edited(frame.get_column(column), options, found) for column in layout.editable(options.columns)
        )

    def edited(self, cells: pl.Series, options: Any, found: Any) -> pl.Series:
        """One column, edited; nulls stay null."""
        import polars as pl

        edit = self.edit
        changed = [None if text is None else edit(text, options, found) for text in cells.to_list()]
        return pl.Series(cells.name, changed, pl.String)

    def edit(self, text: str, options: Any, found: Any) -> str:
        """One cell, edited."""
        raise NotImplementedError


steps: Registry[Step] = Registry("step", "studio.data.steps")


def filled(column: str) -> pl.Expr:
    """Whether a cell holds anything but white space."""
    import polars as pl

    return pl.col(column).str.contains(r"\S").fill_null(False)


def drawn(seed: int, place: int) -> int:
    """A number from 0 to 2^64 - 1 for a row under a seed: the same in every process, whatever stands around it."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{place}".encode(), digest_size=8).digest())
