"""The report of a chat run: how well held-out answers are foreseen before and after tuning, and ten of each to read."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.exam import Exam
from studio.evaluation.intervals import loss_difference, loss_intervals
from studio.evaluation.metrics import of_losses
from studio.evaluation.story import Story, read_events
from studio.evaluation.talker import Talker
from studio.evaluation.verdict import Verdict, chat_verdict
from studio.tasks.base import Row

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

SAMPLES = 10
MOST_ROWS = 500
"""Test rows scored at most, the same for both models; with so many the interval is narrow already."""
ANSWER_TOKENS = 160
_TEXT = 4000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scored:
    """Rows whose answers both models could score: row, its number in the data, summed losses and answer tokens."""

    rows: list[Row]
    numbers: list[int]
    tokens: list[int]
    after: list[float]
    before: list[float] | None


@dataclass(frozen=True)
class Talk:
    """What one model answered to the sample prompts, and milliseconds an answer when they are answered together."""

    answers: list[str]
    milliseconds: float


def chat_report(
    run_dir: Path, exam: Exam, tuned: Predictor | None, base: Predictor | None, progress: Progress | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report and its predictions (row, text, truth, tokens, losses before and after), not yet written."""
    if tuned is None:
        raise ValueError("a chat report needs the tuned model")
    after = Talker(tuned)
    before = Talker(tuned, use_base=True) if tuned.knows_base else Talker(base) if base is not None else None
    scored = _score(exam, after, before, progress or (lambda done, total: None))
    test = of_losses(scored.after, scored.tokens)
    intervals = loss_intervals(scored.after, scored.tokens, exam.seed)
    untuned = None if scored.before is None else of_losses(scored.before, scored.tokens)
    verdict, difference = _judge(run_dir, exam, scored, test, untuned)
    picked = sorted(random.Random(exam.seed).sample(range(len(scored.rows)), min(SAMPLES, len(scored.rows))))
    prompts = [scored.rows[place] for place in picked]
    now, then = _talk(after, prompts), _talk(before, prompts) if before is not None else None
    ladder = [_rung("tuned", scored.after, scored.tokens, exam.seed, after.bytes, now)]
    if before is not None and scored.before is not None:
        ladder.insert(0, _rung("base", scored.before, scored.tokens, exam.seed, before.bytes, then))
    report = {
        "format": 1,
        "task": exam.task.key,
        "result": "chat",
        "rows": len(scored.rows),
        "left_out": len(exam.rows) - len(scored.rows),
        "main_metric": exam.task.main_metric,
        "lower_is_better": True,
        "model": "tuned",
        "simple": None,
        "test": test,
        "interval": {name: list(ends) for name, ends in intervals.items()},
        "untuned": untuned,
        "verdict": verdict,
        "difference": difference,
        "ladder": ladder,
        "samples": [
            {
                **_said(exam, scored, place, "prompt"),
                "before": then.answers[number] if then else None,
                "after": now.answers[number],
            }
            for number, place in enumerate(picked)
        ],
    }
    return report, [_prediction(exam, scored, place) for place in range(len(scored.rows))]


def _score(exam: Exam, after: Talker, before: Talker | None, tell: Progress) -> Scored:
    """Losses of the same rows by both models. Raises UserError (`report_rows`) when no answer is left to score."""
    chosen = sorted(random.Random(exam.seed).sample(range(len(exam.rows)), min(MOST_ROWS, len(exam.rows))))
    rows, total = [exam.rows[place] for place in chosen], len(chosen) * (1 if before is None else 2)
    now = after.losses(rows, lambda done, _: tell(done, total))
    then = before.losses(rows, lambda done, _: tell(len(chosen) + done, total)) if before else None
    kept = [place for place, loss in enumerate(now) if loss["tokens"]]
    if not kept:
        raise UserError("report_rows", rows=0, total=len(exam.rows))
    return Scored(
        [rows[place] for place in kept],
        [int(exam.numbers[chosen[place]]) for place in kept],
        [int(now[place]["tokens"]) for place in kept],
        [float(now[place]["loss"]) for place in kept],
        [float(then[place]["loss"]) for place in kept] if then is not None else None,
    )


def _judge(
    run_dir: Path, exam: Exam, scored: Scored, test: dict[str, float], untuned: dict[str, float] | None
) -> tuple[Verdict, dict[str, Any] | None]:
    """The verdict, and the paired difference behind it where there was a model to compare with."""
    if scored.before is None or untuned is None:
        values = {"after": test["loss"], "rows": len(scored.rows)}
        return {"kind": "alone", "code": "verdict.chat.alone", "values": values}, None
    found = loss_difference(scored.after, scored.before, scored.tokens, exam.seed)
    story = Story.of(read_events(run_dir), exam.task.main_metric, exam.task.lower_is_better)
    asked = Exam(exam.task, scored.rows, scored.numbers, exam.facts, exam.train, exam.seed)
    about = {"metric": "loss", "value": found.value, "low": found.low, "high": found.high, "against": "base"}
    return chat_verdict(found, untuned, test, asked, story), about


def _talk(talker: Talker, prompts: Sequence[Row]) -> Talk:
    """The likeliest answers, token by token."""
    start = time.perf_counter()
    answers = talker.answers(prompts, ANSWER_TOKENS)
    return Talk(answers, 1000 * (time.perf_counter() - start) / max(1, len(prompts)))


def _rung(
    key: str, losses: Sequence[float], tokens: Sequence[int], seed: int, size: int, talk: Talk | None
) -> dict[str, Any]:
    low, high = loss_intervals(losses, tokens, seed)["loss"]
    speed = round(talk.milliseconds, 1) if talk else None
    return {
        "key": key,
        "score": of_losses(losses, tokens)["loss"],
        "low": low,
        "high": high,
        "bytes": size,
        "ms": speed,
    }


def _said(exam: Exam, scored: Scored, place: int, name: str) -> dict[str, Any]:
    """A row's number, its question under `name`, and the known answer."""
    row = scored.rows[place]
    question, truth = exam.task.question(row), exam.task.truth(row) or ""
    return {"row": scored.numbers[place], name: question[:_TEXT], "truth": truth[:_TEXT]}


def _prediction(exam: Exam, scored: Scored, place: int) -> dict[str, Any]:
    losses = {"loss": scored.after[place]} | ({"before": scored.before[place]} if scored.before else {})
    return {**_said(exam, scored, place, "text"), "tokens": scored.tokens[place], **losses}
