"""The one sentence a report opens with: better, no clear difference, or worse, and then the most likely cause.

A verdict is {"kind", "code", "values"}; the catalogue has `<code>` and `<code>_detail`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.evaluation.coach import diagnose
from studio.evaluation.exam import Exam
from studio.evaluation.intervals import Difference
from studio.evaluation.story import Story

Verdict = dict[str, Any]
_UNREAD, _CUT = 0.05, 0.25
_WORDS_ENOUGH = 0.9
_LITTLE_ROWS, _LITTLE_A_LABEL = 200, 20
_STILL_RISING = 0.005
_LOOKED_AT = 200


@dataclass(frozen=True)
class Signs:
    """What may explain a bad result: shares of unread tokens and of cut rows, and whether one label is all it says."""

    unread: float = 0.0
    cut: float = 0.0
    one_class: bool = False


def label_verdict(difference: Difference, simple: float, exam: Exam, story: Story, signs: Signs) -> Verdict:
    """Tuned against the best simple model, in points (hundredths of the metric)."""
    low, high, value = (100 * number for number in (difference.low, difference.high, difference.value))
    rows = len(exam.rows)
    if difference.kind == "higher":
        return _verdict("better", "verdict.better", points=value, low=low, high=high, rows=rows)
    if difference.kind == "unclear":
        return _verdict("unclear", "verdict.unclear", difference=value, low=low, high=high, rows=rows)
    cause, more = label_cause(simple, exam, story, signs)
    return _verdict("worse", f"verdict.{cause}.worse", points=-value, low=-high, high=-low, rows=rows, **more)


def label_cause(simple: float, exam: Exam, story: Story, signs: Signs) -> tuple[str, dict[str, float]]:
    """The most likely cause of being worse, the most certain evidence first."""
    if signs.one_class:
        return "one_class", {}
    if signs.unread > _UNREAD:
        return "unread", {"percent": 100 * signs.unread}
    seen = diagnose(story)
    name = seen.code.removeprefix("coach.") if seen else ""
    if name.startswith(("rate_high", "diverging", "not_finite")):
        return "rate_high", {}
    if name == "rate_low":
        return "rate_low", {}
    if signs.cut > _CUT:
        return "cut", {"percent": 100 * signs.cut}
    kind = exam.task.kind
    labels = {name for row in exam.train for name in kind.names(exam.task.truth(row) or "")} if kind.strings else set()
    few = len(exam.train) < max(_LITTLE_ROWS, _LITTLE_A_LABEL * len(labels))
    if name == "overfitting" and not few:
        return "overfitting", {}
    if _still_rising(story):
        return "short", {}
    if simple > _WORDS_ENOUGH:
        return "words", {"simple": 100 * simple}
    if few:
        return "little", {"train": len(exam.train)}
    return "other", {}


def chat_verdict(
    difference: Difference, before: dict[str, float], after: dict[str, float], exam: Exam, story: Story
) -> Verdict:
    """Tuned against untuned by the loss on answers; `difference` is after minus before, so below zero is better."""
    about: dict[str, Any] = {
        "rows": len(exam.rows),
        "before": before["loss"],
        "after": after["loss"],
        "perplexity_before": before["perplexity"],
        "perplexity_after": after["perplexity"],
    }
    low, high, value = difference.low, difference.high, difference.value
    if difference.kind == "lower":
        return _verdict("better", "verdict.chat.better", difference=-value, low=-high, high=-low, **about)
    if difference.kind == "unclear":
        return _verdict("unclear", "verdict.chat.unclear", difference=value, low=low, high=high, **about)
    seen = diagnose(story)
    name = seen.code.removeprefix("coach.") if seen else ""
    cause = "other"
    if name.startswith(("rate_high", "diverging", "not_finite")):
        cause = "rate_high"
    elif name == "overfitting":
        cause = "overfitting"
    elif len(exam.train) < _LITTLE_ROWS:
        cause, about["train"] = "little", len(exam.train)
    return _verdict("worse", f"verdict.chat_{cause}.worse", difference=value, low=low, high=high, **about)


def error_verdict(difference: Difference, before: float, after: float, exam: Exam, story: Story) -> Verdict:
    """Tuned against the best simple model by an error in the unit of the data; `difference` is ours minus theirs."""
    metric = f"metric.{exam.task.main_metric}"
    about: dict[str, Any] = {"rows": len(exam.rows), "before": before, "after": after, "metric_code": metric}
    low, high, value = difference.low, difference.high, difference.value
    if difference.kind == "lower":
        return _verdict("better", "verdict.error.better", difference=-value, low=-high, high=-low, **about)
    if difference.kind == "unclear":
        return _verdict("unclear", "verdict.error.unclear", difference=value, low=low, high=high, **about)
    cause, more = label_cause(0.0, exam, story, Signs())
    known = cause if cause in ("rate_high", "rate_low", "overfitting", "short", "little") else "other"
    code = f"verdict.error_{known}.worse"
    return _verdict("worse", code, difference=value, low=low, high=high, **about, **(more if known == cause else {}))


def lone_verdict(kind: str, score: float, interval: Sequence[float], rows: int, error: str = "") -> Verdict:
    """Where there is nothing to compare: `simple` (no neural model) or `alone` (no simple model). `error` names a
    metric that counts in the unit of the data, not in points."""
    low, high = interval
    if error:
        about: dict[str, Any] = {"rows": rows, "metric_code": f"metric.{error}"}
        return _verdict(kind, f"verdict.error.{kind}", score=score, low=low, high=high, **about)
    return _verdict(kind, f"verdict.{kind}", score=100 * score, low=100 * low, high=100 * high, rows=rows)


def signs_of(tuned: Any, texts: Sequence[str], answers: Sequence[str], truths: Sequence[str]) -> Signs:
    """Look for signs in the answers and, where `tuned` has a tokenizer, in how it reads the texts."""
    one_class = len(set(answers)) == 1 and len(set(truths)) > 1
    tokenizer, longest = getattr(tuned, "tokenizer", None), getattr(tuned, "max_length", 0)
    looked_at = [text for text in texts[:_LOOKED_AT] if text]
    if tokenizer is None or not looked_at:
        return Signs(one_class=one_class)
    rows = tokenizer(looked_at, verbose=False)["input_ids"]
    unknown = tokenizer.unk_token_id
    tokens = sum(len(row) for row in rows)
    unread = 0.0 if unknown is None else sum(row.count(unknown) for row in rows) / max(1, tokens)
    cut = sum(len(row) > longest for row in rows) / len(rows) if longest else 0.0
    return Signs(unread, cut, one_class)


def _still_rising(story: Story) -> bool:
    if len(story.checks) < 2 or story.best is None or story.best.step != story.checks[-1].step:
        return False
    return story.gain(story.checks[-1].main, story.checks[-2].main) > _STILL_RISING


def _verdict(kind: str, code: str, **values: Any) -> Verdict:
    return {"kind": kind, "code": code, "values": values}
