"""The report of a run that gives each row one label: verdict, ladder, classes, confusion, the surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.evaluation.baseline import Baseline, best
from studio.evaluation.exam import Contender, Exam, contenders
from studio.evaluation.intervals import label_difference, label_intervals
from studio.evaluation.ladder import FORMAT, MISTAKES, Progress, Report, earlier_shown, notes_of
from studio.evaluation.metrics import confusion, known_labels, of_counts, per_class
from studio.evaluation.robustness import robustness
from studio.evaluation.story import Story, read_events
from studio.evaluation.verdict import Verdict, label_verdict, lone_verdict, signs_of
from studio.tasks.earlier import EARLIER

_TEXT = 2000


def label_report(
    run_dir: Path,
    exam: Exam,
    simple: Mapping[str, Baseline],
    tuned: Any,
    untuned: Any,
    progress: Progress | None,
) -> tuple[Report, list[dict[str, Any]]]:
    """The report and its predictions, not yet written. Raises UserError (`report_rows`)."""
    scored = [place for place, row in enumerate(exam.rows) if exam.task.truth(row)]
    if not scored or not (simple or tuned):
        raise UserError("report_rows", rows=len(scored), total=len(exam.rows))
    without = len(exam.rows) - len(scored)
    rows, numbers = [exam.rows[place] for place in scored], [exam.numbers[place] for place in scored]
    exam = Exam(exam.task, rows, numbers, exam.facts, exam.train, exam.seed)
    rivals = contenders(exam, simple, tuned, untuned, progress)
    beaten = best(simple)
    chosen = rivals["tuned"] if tuned is not None else rivals[str(beaten)]
    truths = [str(exam.task.truth(row)) for row in rows]
    labels = known_labels([label for rival in rivals.values() for label in rival.labels], truths, exam.facts)
    counts = confusion(chosen.labels, truths, labels)
    test, intervals = of_counts(counts), label_intervals(chosen.labels, truths, labels, exam.seed)
    metric = exam.task.main_metric
    verdict, difference = _judge(run_dir, exam, rivals, beaten, tuned, (test[metric], intervals[metric], labels))
    predictions = _predictions(exam, chosen, rivals.get(beaten or ""), truths)
    tried = {"tuned": tuned} if tuned is not None else {}
    tried |= {key: simple[key] for key in (beaten,) if key is not None}
    report = {
        "format": FORMAT,
        "task": exam.task.key,
        "result": exam.task.result,
        "rows": len(rows),
        "left_out": without,
        "main_metric": metric,
        "lower_is_better": False,
        "model": chosen.key,
        "simple": beaten,
        "test": test,
        "interval": {name: list(ends) for name, ends in intervals.items()},
        "verdict": verdict,
        "difference": difference,
        "ladder": [
            {**_rung(rival, truths, labels, metric, exam.seed), **_by_hand(simple.get(rival.key))}
            for rival in rivals.values()
        ],
        "classes": per_class(counts, labels),
        "confusion": {"labels": labels, "counts": counts.tolist()},
        "mistakes": _mistakes(predictions),
        "robustness": robustness(exam, rivals, tried, labels, progress),
        "notes": notes_of(simple, tuned, len(exam.train)),
    }
    return report, predictions


def _judge(
    run_dir: Path,
    exam: Exam,
    rivals: Mapping[str, Contender],
    beaten: str | None,
    tuned: Any,
    own: tuple[float, tuple[float, float], list[str]],
) -> tuple[Verdict, dict[str, Any] | None]:
    """The verdict, and the paired difference behind it where there are two to compare."""
    score, interval, labels = own
    if tuned is None or beaten is None:
        return lone_verdict("simple" if tuned is None else "alone", score, interval, len(exam.rows)), None
    metric, truths = exam.task.main_metric, [str(exam.task.truth(row)) for row in exam.rows]
    mine, other = rivals["tuned"], rivals[beaten]
    difference = label_difference(metric, mine.labels, other.labels, truths, labels, exam.seed)
    story = Story.of(read_events(run_dir), metric, exam.task.lower_is_better)
    signs = signs_of(tuned, [exam.task.question(row) for row in exam.rows], mine.labels, truths)
    verdict = label_verdict(difference, score - difference.value, exam, story, signs)
    about = {"metric": metric, "value": difference.value, "low": difference.low, "high": difference.high}
    return verdict, {**about, "against": beaten}


def _rung(rival: Contender, truths: Sequence[str], labels: Sequence[str], metric: str, seed: int) -> dict[str, Any]:
    score = of_counts(confusion(rival.labels, truths, labels))[metric]
    low, high = label_intervals(rival.labels, truths, labels, seed)[metric]
    size = {"bytes": rival.bytes, "ms": round(rival.milliseconds, 3)}
    return {"key": rival.key, "score": score, "low": low, "high": high, **size}


def _by_hand(model: Baseline | None) -> dict[str, bool]:
    """A mark for a rung whose model a person has edited."""
    return {"by_hand": True} if getattr(model, "by_hand", False) else {}


def _predictions(
    exam: Exam, chosen: Contender, simple: Contender | None, truths: Sequence[str]
) -> list[dict[str, Any]]:
    """One entry a test row: its number in the data, text, truth, answer, scores and the simple model's answer."""
    found = []
    for place, (row, answer, truth) in enumerate(zip(exam.rows, chosen.answers, truths, strict=True)):
        entry = {
            "row": int(exam.numbers[place]),
            "text": exam.task.question(row)[:_TEXT],
            "truth": truth,
            "answer": answer["label"],
            "scores": {label: round(float(share), 6) for label, share in answer["scores"].items()},
        }
        if len(exam.task.asked) > 1:
            entry["asked"] = {role.key: (row.get(role.key) or "")[:_TEXT] for role in exam.task.asked}
        entry |= earlier_shown(row)
        if simple is not None and simple is not chosen:
            entry["simple"] = simple.labels[place]
        found.append(entry)
    return found


def _mistakes(predictions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Wrong answers, the most certain first."""
    wrong = [
        {
            **{name: entry[name] for name in ("row", "text", "truth", "answer", EARLIER) if name in entry},
            "confidence": entry["scores"].get(entry["answer"], 0.0),
        }
        for entry in predictions
        if entry["answer"] != entry["truth"]
    ]
    return sorted(wrong, key=lambda entry: (-entry["confidence"], entry["row"]))[:MISTAKES]
