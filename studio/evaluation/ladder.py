"""The report that any kind with tallies gets: the verdict, the ladder of models on the same rows, the mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.baseline import Baseline, best, fewer_rows
from studio.evaluation.exam import Contender, Exam, contenders
from studio.evaluation.intervals import Difference, Interval, row_difference, row_intervals
from studio.evaluation.story import Story, read_events
from studio.evaluation.verdict import Verdict, error_verdict, label_verdict, lone_verdict, signs_of
from studio.tasks.base import Row
from studio.tasks.earlier import EARLIER

if TYPE_CHECKING:
    from pathlib import Path

    from studio.evaluation.kinds.base import Floats, Judge

FORMAT = 1
MISTAKES = 50
_TEXT = 2000
Report = dict[str, Any]
Progress = Callable[[int, int], None]


def ladder_report(
    judge: Judge,
    run_dir: Path,
    exam: Exam,
    simple: Mapping[str, Baseline],
    tuned: Any,
    untuned: Any,
    progress: Progress | None,
) -> tuple[Report, list[dict[str, Any]]]:
    """The report and its predictions, not yet written. Raises UserError (`report_rows`) when nothing can be scored."""
    task = exam.task
    truths = [task.expected(row) for row in exam.rows]
    scored = [place for place, truth in enumerate(truths) if truth is not None]
    if not scored or not (simple or tuned):
        raise UserError("report_rows", rows=len(scored), total=len(exam.rows))
    left_out = len(exam.rows) - len(scored)
    rows, numbers = [exam.rows[place] for place in scored], [exam.numbers[place] for place in scored]
    exam, expected = Exam(task, rows, numbers, exam.facts, exam.train, exam.seed), [truths[place] for place in scored]
    rivals = contenders(exam, simple, tuned, untuned, progress)
    beaten = best(simple)
    chosen = rivals["tuned"] if tuned is not None else rivals[str(beaten)]
    standings = {key: _Standing(judge, rival, expected, exam) for key, rival in rivals.items()}
    own, metric = standings[chosen.key], task.main_metric
    verdict, difference = _judge(run_dir, exam, standings, beaten, tuned, own)
    predictions = _predictions(judge, exam, chosen, rivals.get(beaten or ""), expected)
    report = {
        "format": FORMAT,
        "task": task.key,
        "result": task.result,
        "rows": len(rows),
        "left_out": left_out,
        "main_metric": metric,
        "lower_is_better": task.lower_is_better,
        "model": chosen.key,
        "simple": beaten,
        "test": own.test,
        "interval": {name: list(ends) for name, ends in own.intervals.items()},
        "verdict": verdict,
        "difference": difference,
        "ladder": [standing.rung(metric) for standing in standings.values()],
        "mistakes": _mistakes(predictions),
        "notes": notes_of(simple, tuned, len(exam.train)),
        **judge.sections(exam, chosen, expected),
    }
    return report, predictions


class _Standing:
    """How one model did: its tallies a row, its metrics and their intervals."""

    def __init__(self, judge: Judge, rival: Contender, expected: Sequence[Any], exam: Exam) -> None:
        self.rival, self._judge, self._exam = rival, judge, exam
        self.tallies: Floats = judge.tallies(rival.answers, expected, exam.facts)
        self.imagined = judge.imagined(self.tallies, exam.facts)
        self.test = {name: float(values[0]) for name, values in self.reduce(self.tallies.sum(axis=0)[None]).items()}
        self.intervals: dict[str, Interval] = row_intervals(self.tallies, self.reduce, self.imagined, exam.seed)

    def reduce(self, sums: Floats) -> dict[str, Floats]:
        return self._judge.reduce(sums, self._exam.facts)

    def rung(self, metric: str) -> dict[str, Any]:
        low, high = self.intervals[metric]
        size = {"bytes": self.rival.bytes, "ms": round(self.rival.milliseconds, 3)}
        return {"key": self.rival.key, "score": self.test[metric], "low": low, "high": high, **size}


def _judge(
    run_dir: Path, exam: Exam, standings: Mapping[str, _Standing], beaten: str | None, tuned: Any, own: _Standing
) -> tuple[Verdict, dict[str, Any] | None]:
    """The verdict, and the paired difference behind it where there are two to compare."""
    metric, task = exam.task.main_metric, exam.task
    score, interval = own.test[metric], own.intervals[metric]
    if tuned is None or beaten is None:
        kind = "simple" if tuned is None else "alone"
        return lone_verdict(kind, score, interval, len(exam.rows), metric if task.lower_is_better else ""), None
    other = standings[beaten]
    difference = row_difference(
        metric, own.tallies, other.tallies, own.reduce, (own.imagined, other.imagined), exam.seed
    )
    story = Story.of(read_events(run_dir), metric, task.lower_is_better)
    if task.lower_is_better:
        verdict = error_verdict(difference, other.test[metric], score, exam, story)
    else:
        said = [own._judge.shown(answer) for answer in own.rival.answers]
        texts = [task.question(row) for row in exam.rows]
        signs = signs_of(tuned, texts, said, [task.truth(row) or "" for row in exam.rows])
        verdict = label_verdict(difference, score - difference.value, exam, story, signs)
    return verdict, _about(metric, difference, beaten)


def _about(metric: str, found: Difference, against: str) -> dict[str, Any]:
    return {"metric": metric, "value": found.value, "low": found.low, "high": found.high, "against": against}


def _predictions(
    judge: Judge, exam: Exam, chosen: Contender, simple: Contender | None, expected: Sequence[Any]
) -> list[dict[str, Any]]:
    """One entry a test row: its number in the data, text, truth, answer, the kind's own, the simple model's answer."""
    found = []
    for place, (row, answer, truth) in enumerate(zip(exam.rows, chosen.answers, expected, strict=True)):
        entry = {
            "row": int(exam.numbers[place]),
            "text": exam.task.question(row)[:_TEXT],
            "truth": (exam.task.truth(row) or "")[:_TEXT],
            "answer": judge.shown(answer)[:_TEXT],
            **judge.entry(row, answer, truth),
        }
        if len(exam.task.asked) > 1:
            entry["asked"] = {role.key: (row.get(role.key) or "")[:_TEXT] for role in exam.task.asked}
        entry |= earlier_shown(row)
        if simple is not None and simple is not chosen:
            entry["simple"] = judge.shown(simple.answers[place])[:_TEXT]
        found.append(entry)
    return found


def earlier_shown(row: Row) -> dict[str, str]:
    """The earlier texts that a model read before the row's own, for its entry; the nearest ones where they are long."""
    text = row.get(EARLIER)
    return {EARLIER: text[-_TEXT:]} if text else {}


def _mistakes(predictions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Wrong answers, the worst first, as the kind's `wrong` has it."""
    wrong = [entry for entry in predictions if entry.get("wrong")]
    worst = sorted(wrong, key=lambda entry: (-entry["wrong"], entry["row"]))[:MISTAKES]
    kept = ("row", "text", "truth", "answer", "confidence", EARLIER)
    return [{name: entry[name] for name in kept if name in entry} for entry in worst]


def notes_of(simple: Mapping[str, Baseline], tuned: Any, train: int) -> list[dict[str, Any]]:
    """What a reader has to know of the comparison: simple models may have seen fewer rows than the tuned one."""
    values = fewer_rows(simple, train)
    if values is None:
        return []
    return [{"code": "report.note.simple_fewer" if tuned is not None else "report.note.simple_part", "values": values}]
