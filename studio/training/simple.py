"""The simple models of a run, fitted beside the loading of the neural one so that they never hold it up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.evaluation.kinds.base import judges
from studio.evaluation.metrics import score
from studio.events import Baseline as BaselineScore
from studio.events import Caution, Emit, Event, Note
from studio.tasks.base import Row, Task
from studio.training.rows import Table, scored_places

if TYPE_CHECKING:
    from studio.evaluation.baseline import Baseline

FOLDER = "baselines"
_PATIENCE = 3.0
"""Seconds the first step waits for them at most."""


class Simple:
    """Fits and saves the simple models in a thread of its own; what it finds is told by the caller's thread."""

    def __init__(self, run_dir: Path, task: Task, table: Table, facts: dict[str, Any], seed: int) -> None:
        self._run_dir, self._task, self._table, self._seed = run_dir, task, table, seed
        self.facts = facts
        self._found: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.models: Mapping[str, Baseline] = {}
        self.fault = "-"
        """What went wrong, once it has."""
        self._thread = threading.Thread(target=self._work, name="simple-models", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self, emit: Emit) -> None:
        """Emit what has been found since the last call; never waits."""
        while not self._found.empty():
            emit(self._found.get())

    def wait(self, emit: Emit, seconds: float | None = _PATIENCE) -> None:
        """Give the thread `seconds` to end (None: as long as it takes), then tell."""
        self._thread.join(seconds)
        self.tell(emit)

    def _judged(self) -> list[Row]:
        """The validation rows that the tuned model's curve is scored on, so that line and curve can be compared."""
        places = scored_places(self._table.split["validation"], self._task, self._seed)
        rows = [self._table.rows[place] for place in places]
        judge = judges.get(self._task.result)
        return [row for row in rows if judge.scorable(self._task.expected(row), self.facts)] or rows

    def _work(self) -> None:
        from studio.evaluation.baseline import fewer_rows, fit_baselines
        from studio.evaluation.rules import with_edits

        try:
            train, validation = self._table.part("train"), self._judged()
            # What a person has edited since an earlier attempt stays theirs.
            models = with_edits(self._run_dir, fit_baselines(self._task, train, validation, self.facts, self._seed))
            if fewer := fewer_rows(models, len(train)):
                self._found.put(Note("timeline.simple_fewer", fewer))
            expected = [self._task.expected(row) for row in validation]
            for key, model in models.items():
                if not getattr(model, "by_hand", False):
                    model.save(self._run_dir / FOLDER / key)
                metrics = score(self._task.result, model.answer(self._task, validation), expected, self.facts)
                self._found.put(BaselineScore(key, self._task.main_metric, metrics[self._task.main_metric]))
            self.models = models
        except Exception as error:  # a run goes on without its simple models, and says so
            self.fault = f"{type(error).__name__}: {error}"[:200]
            self._found.put(Caution("timeline.baselines_failed", {"reason": self.fault}))
