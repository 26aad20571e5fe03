"""A run's events gathered into the series that the coach and the report reason about. Knows no words and no files
but the event files of a run folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

Record = Mapping[str, Any]
_ENDS = frozenset({"done", "stopped", "failed"})


@dataclass(frozen=True)
class Check:
    """One evaluation: after which step, validation loss (None when not finite), main metric, all metrics, and whether
    the loop took it for the best so far (it tells equals apart by their loss)."""

    step: int
    loss: float | None
    main: float
    metrics: Mapping[str, float]
    kept: bool = False


@dataclass
class Story:
    """What happened so far. `losses` and `norms` are by step in order, None where not finite."""

    main_metric: str
    lower_is_better: bool
    steps: int = 0
    rows: int | None = None
    losses: dict[int, float | None] = field(default_factory=dict)
    norms: dict[int, float | None] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    simple: dict[str, float] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    end: Record | None = None
    warmed: int = 0
    """The last step at which the learning rate was higher than ever before: the end of warm-up."""
    _rate: float = 0.0

    @staticmethod
    def of(records: Iterable[Record], main_metric: str, lower_is_better: bool) -> Story:
        """Gather events as the JSON objects of the event files, oldest first, of all attempts."""
        story = Story(main_metric, lower_is_better)
        for record in records:
            story._add(record)
        return story

    def _add(self, record: Record) -> None:
        kind = record["event"]
        if kind == "plan":
            self.steps = int(record["steps"])
            rows = [
                item["values"]["rows"]
                for item in record.get("decisions", ())
                if item.get("name") == "epochs" and "rows" in item.get("values", {})
            ]
            self.rows = int(rows[0]) if rows else self.rows
        elif kind == "step":
            self.losses[record["step"]] = record["loss"]
            self.norms[record["step"]] = record["gradient_norm"]
            if record.get("learning_rate", 0.0) > self._rate:
                self._rate, self.warmed = record["learning_rate"], record["step"]
        elif kind == "eval" and record["step"] and record["metrics"].get(self.main_metric) is not None:
            # (That of step 0 is the untouched base, which is told as a baseline too.)
            metrics = record["metrics"]
            self.checks.append(
                Check(record["step"], record["loss"], metrics[self.main_metric], metrics, bool(record.get("best")))
            )
        elif kind == "baseline" and record["metric"] == self.main_metric and record["score"] is not None:
            self.simple[record["key"]] = record["score"]
        elif kind == "sample":
            self.labels |= {row["truth"] for row in record["rows"] if row.get("truth")}
        elif kind == "resumed":
            self._rewind(record["step"])
        if kind in _ENDS:
            self.end = record

    def _rewind(self, step: int) -> None:
        """A resumed attempt does the steps behind the checkpoint again."""
        self.end = None
        self.losses = {number: loss for number, loss in self.losses.items() if number <= step}
        self.norms = {number: norm for number, norm in self.norms.items() if number <= step}
        self.checks = [check for check in self.checks if check.step <= step]

    @property
    def step(self) -> int:
        """The last step done."""
        return max(self.losses, default=0)

    @property
    def progress(self) -> float:
        """Share of the planned steps done, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    @property
    def best(self) -> Check | None:
        """The evaluation whose model is kept; where none was marked, that with the best main metric."""
        kept = next((check for check in reversed(self.checks) if check.kept), None)
        if kept is not None:
            return kept
        ranked = max(self.checks, key=lambda check: self.gain(check.main, 0.0), default=None)
        return ranked

    def gain(self, now: float, before: float) -> float:
        """How much better `now` is, whichever way the metric counts."""
        return before - now if self.lower_is_better else now - before

    def best_simple(self) -> tuple[str, float] | None:
        """The best simple model's key and score."""
        return max(self.simple.items(), key=lambda item: self.gain(item[1], 0.0), default=None)

    def finite(self, low: int = 0, high: int | None = None) -> list[float]:
        """Training losses of steps in (low, high]."""
        return [
            loss
            for number, loss in self.losses.items()
            if loss is not None and number > low and (high is None or number <= high)
        ]

    def loss_first(self) -> float:
        """Mean training loss of the first steps. Needs at least one finite loss."""
        losses = self.finite()
        return fmean(losses[: window(losses)])

    def loss_now(self) -> float:
        """Mean training loss of the latest steps. Needs at least one finite loss."""
        losses = self.finite()
        return fmean(losses[-window(losses) :])

    def loss_lowest(self) -> float:
        """The lowest such mean so far. Needs at least one finite loss."""
        losses = self.finite()
        size = window(losses)
        return min(fmean(losses[start : start + size]) for start in range(len(losses) - size + 1))

    def norm_growth(self) -> float:
        """Median gradient norm of the latest steps over that of the first; 1 when too little is known."""
        norms = [norm for norm in self.norms.values() if norm is not None]
        size = window(norms)
        if len(norms) < 2 * size or median(norms[:size]) <= 0:
            return 1.0
        return median(norms[-size:]) / median(norms[:size])


def window(values: Sequence[float]) -> int:
    """Steps in a mean: a tenth of those seen, 3 to 20, so that single batches neither alarm nor reassure."""
    return max(1, min(len(values), max(3, min(20, len(values) // 10))))


def read_events(run_dir: Path) -> list[dict[str, Any]]:
    """The whole lines of all event files of a run, by attempt; what cannot be read is left out."""
    numbered = [
        (int(found[1]), file)
        for file in run_dir.glob("events-*.jsonl")
        if (found := re.fullmatch(r"events-(\d+)\.jsonl", file.name))
    ]
    records = []
    for _, file in sorted(numbered):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "event" in record:
                records.append(record)
    return records
