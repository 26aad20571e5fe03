"""Two runs on the same test rows: by how much the first is ahead, with a paired interval where answers are labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.evaluation.intervals import label_difference
from studio.evaluation.report import PREDICTIONS, REPORT


def compared(ours: Path, theirs: Path) -> dict[str, Any] | None:
    """{"metric", "ours", "theirs", "value", "low", "high", "rows"}; `low` and `high` are None for answers that are not
    one label each, and all is None for runs that were not tested on the same rows."""
    first, second = (json.loads((run / REPORT).read_text("utf-8")) for run in (ours, theirs))
    metric = first["main_metric"]
    said, other = _answers(ours), _answers(theirs)
    truths = {row: truth for row, (truth, _) in said.items()}
    if second["main_metric"] != metric or truths != {row: truth for row, (truth, _) in other.items()}:
        return None
    scores = (float(first["test"][metric]), float(second["test"][metric]))
    found = {"metric": metric, "ours": scores[0], "theirs": scores[1], "value": scores[0] - scores[1]}
    if first["result"] != "labels":
        return {**found, "low": None, "high": None, "rows": len(said)}
    rows = sorted(said)
    mine, yours = [said[row][1] for row in rows], [other[row][1] for row in rows]
    wanted = [truths[row] for row in rows]
    labels = sorted({*mine, *yours, *wanted, *first["confusion"]["labels"]})
    paired = label_difference(metric, mine, yours, wanted, labels)
    return {**found, "value": paired.value, "low": paired.low, "high": paired.high, "rows": len(rows)}


def _answers(run: Path) -> dict[int, tuple[str, str]]:
    """(truth, answer) by the row's number in the data."""
    with (run / PREDICTIONS).open(encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    return {int(entry["row"]): (str(entry["truth"]), str(entry.get("answer", ""))) for entry in entries}
