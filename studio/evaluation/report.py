"""Writes a run's report.json and predictions.jsonl: the verdict, the ladder, and where the model is wrong.

Everything is measured on the test rows, once, with the model as it was reloaded from disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.baseline import Baseline, best, fewer_rows
from studio.evaluation.exam import (
    Answering,
    Contender,
    Exam,
    questions_of,
    sit,
    texts_of,
    write_json,
    write_lines,
)
from studio.evaluation.intervals import label_difference, label_intervals
from studio.evaluation.metrics import confusion, known_labels, of_counts, per_class
from studio.evaluation.story import Story, read_events
from studio.evaluation.verdict import Verdict, label_verdict, lone_verdict, signs_of

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

REPORT, PREDICTIONS = "report.json", "predictions.jsonl"
FORMAT = 1
MISTAKES = 50
_TEXT = 2000
Report = dict[str, Any]
Progress = Callable[[int, int], None]


def write_report(
    run_dir: Path,
    exam: Exam,
    simple: Mapping[str, Baseline],
    tuned: Predictor | None,
    untuned: Answering | Predictor | None = None,
    progress: Progress | None = None,
) -> Report:
    """Answer the exam, write report.json and predictions.jsonl into `run_dir`, return the report.

    `tuned` None makes a report of the simple models alone. `untuned` is the guess by label names (labels), or the
    model before tuning (chat; not needed where `tuned` is an adapter). `progress` gets contenders or rows done and
    their number. Raises UserError (`report_rows`) when no test row can be scored.
    """
    if exam.task.result == "chat":
        from studio.evaluation.chat_report import chat_report

        report, predictions = chat_report(run_dir, exam, tuned, untuned, progress)  # type: ignore[arg-type]
    else:
        report, predictions = _labels_report(run_dir, exam, simple, tuned, untuned, progress)
    write_lines(run_dir / PREDICTIONS, predictions)
    write_json(run_dir / REPORT, report)
    return report


def _labels_report(
    run_dir: Path,
    exam: Exam,
    simple: Mapping[str, Baseline],
    tuned: Any,
    untuned: Any,
    progress: Progress | None,
) -> tuple[Report, list[dict[str, Any]]]:
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
        "notes": _notes(simple, tuned, len(exam.train)),
    }
    return report, predictions


def contenders(
    exam: Exam, simple: Mapping[str, Baseline], tuned: Any, untuned: Any, progress: Progress | None = None
) -> dict[str, Contender]:
    """Every model that answers the exam, in the order of the ladder, by key."""
    texts, found = texts_of(exam), {}
    models: list[tuple[str, Any, int, Sequence[Any]]] = [
        (key, model, model.bytes, texts) for key, model in simple.items()
    ]
    if untuned is not None:
        models.append(("untuned", untuned, int(getattr(untuned, "bytes", 0)), texts))
    if tuned is not None:
        models.append(("tuned", tuned, sum(tuned.parts().values()), questions_of(exam)))
    for number, (key, model, size, questions) in enumerate(models):
        if progress:
            progress(number, len(models))
        found[key] = sit(key, model, questions, size)
    if progress:
        progress(len(models), len(models))
    return found


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
        if simple is not None and simple is not chosen:
            entry["simple"] = simple.labels[place]
        found.append(entry)
    return found


def _notes(simple: Mapping[str, Baseline], tuned: Any, train: int) -> list[dict[str, Any]]:
    """What a reader has to know of the comparison: simple models may have seen fewer rows than the tuned one."""
    values = fewer_rows(simple, train)
    if values is None:
        return []
    return [{"code": "report.note.simple_fewer" if tuned is not None else "report.note.simple_part", "values": values}]


def _mistakes(predictions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Wrong answers, the most certain first."""
    wrong = [
        {
            **{name: entry[name] for name in ("row", "text", "truth", "answer")},
            "confidence": entry["scores"].get(entry["answer"], 0.0),
        }
        for entry in predictions
        if entry["answer"] != entry["truth"]
    ]
    return sorted(wrong, key=lambda entry: (-entry["confidence"], entry["row"]))[:MISTAKES]


def open_cell(run_dir: Path, truth: str, answer: str, offset: int = 0, limit: int = 50) -> tuple[list[Any], int]:
    """The test rows of one cell of the confusion matrix, as in predictions.jsonl, and how many there are.

    Raises UserError (`report_no_cells`) for a run that gives no labels, such as chat.
    """
    found, count = [], 0
    with (run_dir / PREDICTIONS).open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "answer" not in entry:
                raise UserError("report_no_cells", run=run_dir.name)
            if entry["truth"] == truth and entry["answer"] == answer:
                if offset <= count < offset + limit:
                    found.append(entry)
                count += 1
    return found, count
