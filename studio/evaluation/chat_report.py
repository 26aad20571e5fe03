"""The report of a chat run: how well held-out answers are foreseen before and after tuning, and ten of each to read."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.exam import Exam
from studio.evaluation.intervals import loss_difference, loss_intervals
from studio.evaluation.metrics import of_losses
from studio.evaluation.story import Story, read_events
from studio.evaluation.talker import Talker
from studio.evaluation.verdict import Verdict, chat_verdict

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

SAMPLES = 10
MOST_ROWS = 500
"""Test rows scored at most, the same for both models; with so many the interval is narrow already."""
ANSWER_TOKENS = 160
_TEXT = 4000
Progress = Callable[[int, int], None]


def chat_report(
    run_dir: Path, exam: Exam, tuned: Predictor | None, base: Predictor | None, progress: Progress | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report and its predictions (row, text, truth, losses before and after, tokens), not yet written."""
    if tuned is None:
        raise ValueError("a chat report needs the tuned model")
    chance = random.Random(exam.seed)
    chosen = sorted(chance.sample(range(len(exam.rows)), min(MOST_ROWS, len(exam.rows))))
    before = Talker(tuned, use_base=True) if tuned.knows_base else Talker(base) if base is not None else None
    total = len(chosen) * (1 if before is None else 2)
    tell = progress or (lambda done, count: None)
    rows = [exam.rows[place] for place in chosen]
    now = Talker(tuned).losses(rows, lambda done, _: tell(done, total))
    then = before.losses(rows, lambda done, count: tell(count + done, total)) if before else now
    kept = [place for place in range(len(rows)) if now[place]["tokens"] and then[place]["tokens"]]
    if not kept:
        raise UserError("report_rows", rows=0, total=len(exam.rows))
    losses, tokens = [now[place]["loss"] for place in kept], [now[place]["tokens"] for place in kept]
    earlier = [then[place]["loss"] for place in kept]
    test, intervals = of_losses(losses, tokens), loss_intervals(losses, tokens, exam.seed)
    ladder = [_rung("tuned", test["loss"], intervals["loss"], Talker(tuned).bytes)]
    scored = Exam(exam.task, [rows[place] for place in kept], [], exam.facts, exam.train, exam.seed)
    verdict, difference, untuned = _alone(test, intervals["loss"], len(kept)), None, None
    if before is not None:
        untuned = of_losses(earlier, tokens)
        rung = _rung("base", untuned["loss"], loss_intervals(earlier, tokens, exam.seed)["loss"], before.bytes)
        ladder.insert(0, rung)
        found = loss_difference(losses, earlier, tokens, exam.seed)
        story = Story.of(read_events(run_dir), exam.task.main_metric, exam.task.lower_is_better)
        verdict = chat_verdict(found, untuned, test, scored, story)
        difference = {"metric": "loss", "value": found.value, "low": found.low, "high": found.high, "against": "base"}
    numbers = [int(exam.numbers[chosen[place]]) for place in kept]
    report = {
        "format": 1,
        "task": exam.task.key,
        "result": "chat",
        "rows": len(kept),
        "left_out": len(exam.rows) - len(kept),
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
        "samples": _samples(exam, numbers, scored.rows, Talker(tuned), before),
    }
    predictions = [
        {
            "row": number,
            "text": exam.task.question(row)[:_TEXT],
            "truth": (exam.task.truth(row) or "")[:_TEXT],
            "tokens": now[place]["tokens"],
            "loss": now[place]["loss"],
            **({"before": then[place]["loss"]} if before else {}),
        }
        for number, row, place in zip(numbers, scored.rows, kept, strict=True)
    ]
    return report, predictions


def _samples(
    exam: Exam, numbers: Sequence[int], rows: Sequence[Any], tuned: Talker, base: Talker | None
) -> list[dict[str, Any]]:
    """Ten prompts with the known answer and those before and after, with the likeliest token each time."""
    picked = sorted(random.Random(exam.seed).sample(range(len(rows)), min(SAMPLES, len(rows))))
    asked = [rows[place] for place in picked]
    after = tuned.answers(asked, ANSWER_TOKENS)
    earlier: Sequence[str | None] = base.answers(asked, ANSWER_TOKENS) if base else [None] * len(asked)
    return [
        {
            "row": numbers[place],
            "prompt": exam.task.question(row)[:_TEXT],
            "truth": (exam.task.truth(row) or "")[:_TEXT],
            "before": before,
            "after": answer,
        }
        for place, row, before, answer in zip(picked, asked, earlier, after, strict=True)
    ]


def _alone(test: dict[str, float], interval: tuple[float, float], rows: int) -> Verdict:
    values = {"after": test["loss"], "low": interval[0], "high": interval[1], "rows": rows}
    return {"kind": "alone", "code": "verdict.chat.alone", "values": values}


def _rung(key: str, loss: float, interval: tuple[float, float], size: int) -> dict[str, Any]:
    return {"key": key, "score": loss, "low": interval[0], "high": interval[1], "bytes": size, "ms": None}
