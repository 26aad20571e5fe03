"""Which rows come before a row in its conversation or document, as two columns say: its name and, where there is one,
the order within it. A conversation that has a row whose place cannot be read keeps the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from studio.data.store import DataVersion, read_column
from studio.data.times import day_first, moment
from studio.problem import Problem
from studio.tasks.earlier import as_line

Cells = Sequence[str | None]
_SAMPLE = 10_000


class Threads:
    """Conversations by the cells of all rows: `names` says which one, `turns` (None: the order of the file) where in
    it. Rows of equal place stand as in the file; a row without a name stands alone."""

    def __init__(self, names: Cells, turns: Cells | None = None) -> None:
        found: dict[str, list[int]] = {}
        for place, cell in enumerate(names):
            if name := (cell or "").strip():
                found.setdefault(name, []).append(place)
        days = day_first(turns[:_SAMPLE]) if turns else False
        self.unread = 0
        """Rows of conversations that keep the order of the file because a place in them cannot be read."""
        self._spots: dict[int, tuple[list[int], int]] = {}
        for places in found.values():
            ordered = places
            if turns is not None and len(places) > 1:
                times = {place: moment(turns[place], days) for place in places}
                if None in times.values():
                    self.unread += len(places)
                else:
                    ordered = sorted(places, key=lambda place: (times[place], place))
            for at, place in enumerate(ordered):
                self._spots[place] = (ordered, at)
        self.count = len(found)
        self.longest = max(map(len, found.values()), default=0)

    def before(self, place: int, text: Callable[[int], str | None], most: int) -> str:
        """The `most` texts before the row at `place`, a line each, the oldest first; blank ones do not count."""
        ordered, at = self._spots.get(place, ([], 0))
        lines: list[str] = []
        while at > 0 and len(lines) < most:
            at -= 1
            if line := as_line(text(ordered[at])):
                lines.append(line)
        return "\n".join(reversed(lines))


@lru_cache(maxsize=1)
def threads_of(version: DataVersion, thread: str, turn: str = "") -> Threads:
    """The conversations of a version. Raises UserError (`data_column_unknown`)."""
    turns = read_column(version, turn).to_pylist() if turn else None
    return Threads(read_column(version, thread).to_pylist(), turns)


def earlier_of(version: DataVersion, columns: Mapping[str, str], places: Sequence[int], most: int) -> list[str]:
    """The earlier texts of the rows at `places`, as `Threads.before` gives them; "" where no column says.

    Raises UserError (`data_column_unknown`).
    """
    if not columns.get("thread") or not columns.get("text"):
        return [""] * len(places)
    threads = threads_of(version, columns["thread"], columns.get("turn", ""))
    texts = read_column(version, columns["text"])
    return [threads.before(place, lambda at: texts[at].as_py(), most) for place in places]


def thread_problems(version: DataVersion, columns: Mapping[str, str]) -> list[Problem]:
    """What the columns of conversations mean for the split, and what is wrong with them (role -> column)."""
    name, turn = columns.get("thread"), columns.get("turn", "")
    if not name:
        return [Problem("turn_alone", "warning", "columns.turn", values={"column": turn})] if turn else []
    threads = threads_of(version, name, turn)
    told = {"column": name, "threads": threads.count}
    if threads.longest < 2:
        return [Problem("threads_single", "warning", "columns.thread", threads.count, values=told)]
    found = [Problem("threads_kept", "note", "columns.thread", threads.count, values=told)]
    if threads.unread:
        found.append(Problem("turns_unread", "warning", "columns.turn", threads.unread, values={"column": turn}))
    return found
