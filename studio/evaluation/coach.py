"""The coach: tested rules that turn a run's events into one piece of advice with its evidence and at most one button.

Pure and light: the web process calls it every second. The sentence is the catalogue's `<code>`, the evidence behind it
`<code>_evidence`, the button `coach.action.<action>`, all filled with `values`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, pvariance
from typing import Any

from studio.evaluation.story import Record, Story

ACTIONS = ("stop_best", "more_epochs", "lower_rate", "raise_rate", "use_simple", "add_rows")
TONES = ("good", "plain", "look", "bad")

# How sure a rule has to be. They were set on the synthetic series of the tests and looked at on real runs.
_FEW_STEPS = 8
_LONG = 12
"""Least steps that a loss has to stay high before it is called so: single batches leap."""
_CLEAR = 3.0
"""How many standard errors apart two means have to be to differ."""
_NEARLY_DONE = 0.9
_EXPLODED, _JUMPED = 1.3, 1.4
_NOT_FALLEN = 0.97
_NORM_GREW = 3.0
_ROUGH = 0.25
_OVERFIT = 1.03
_FLAT = 0.005
_IMPROVED = 0.02
_BEHIND = 0.01
_CLEARLY_AHEAD = 0.05
_FEW_ROWS, _FEW_A_LABEL = 50, 16


@dataclass(frozen=True)
class Advice:
    """`code` (and `<code>_evidence`) of the catalogue with their values; `tone` is one of `TONES`."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    action: str | None = None
    tone: str = "plain"


def advise(records: Iterable[Record], main_metric: str, lower_is_better: bool, finished: bool = False) -> Advice | None:
    """The most urgent advice for the events so far; None when a run ended without a word of its own.

    `records` are event objects as in the event files; `finished` says that no process works on the run any more.
    """
    story = Story.of(records, main_metric, lower_is_better)
    if story.end is not None or finished:
        return _ended(story)
    if not story.losses:
        return Advice("coach.starting")
    return next(filter(None, (rule(story) for rule in RULES)), None)


def diagnose(story: Story) -> Advice | None:
    """What went wrong on the way, whether or not the run has ended; None when nothing did."""
    return next(filter(None, (rule(story) for rule in TROUBLES)), None) if story.losses else None


def _ended(story: Story) -> Advice | None:
    kind = story.end["event"] if story.end is not None else ""
    if story.end is not None and kind == "failed":
        if story.end.get("kind") != "non-finite":
            return None
        # The step that is no number, not the last sound one before it.
        step = dict(story.end.get("values") or {}).get("step", story.end["step"])
        return Advice("coach.not_finite", {"step": step}, "lower_rate", "bad")
    if kind == "stopped":
        return Advice("coach.stopped", {"step": story.end["step"]}) if story.end is not None else None
    if kind != "done" or story.end is None:
        return None
    best, simple = story.best, story.best_simple()
    if best is None:
        return Advice("coach.finished_simple", {"score": simple[1]}, None, "good") if simple else None
    values: dict[str, Any] = {"step": best.step, "score": best.main}
    if simple is None:
        return Advice("coach.finished", values, None, "good")
    values |= {"simple": simple[1], "points": 100 * abs(best.main - simple[1])}
    ahead, name = story.gain(best.main, simple[1]), "base" if simple[0] == "base" else "simple"
    if ahead <= 0:
        return Advice(
            f"coach.finished_below_{name}", values, "use_simple" if name == "simple" else "lower_rate", "look"
        )
    if story.lower_is_better and name == "simple":
        return Advice("coach.finished_error_simple", values, None, "good")
    return Advice(f"coach.finished_above_{name}", values, None, "good")


def diverging(story: Story) -> Advice | None:
    """The loss is not a number any more, or clearly above where it began."""
    recent = list(story.losses.items())[-5:]
    lost = next((step for step, loss in recent if loss is None), None)
    if lost is not None:
        return Advice("coach.not_finite", {"step": lost}, "lower_rate", "bad")
    losses, first = story.finite(), story.loss_first() if story.finite() else 0.0
    latest = losses[-_FEW_STEPS:]
    # A rate that is still rising may shake the loss for a while; only far above the beginning nothing is left to hope.
    settled = story.step - story.warmed >= _FEW_STEPS
    bound = (_EXPLODED if settled else 2 * _EXPLODED) * first
    if len(losses) < 2 * _FEW_STEPS or min(story.loss_now(), fmean(latest)) <= bound or min(latest) <= first:
        return None
    if not _clearly_above(latest, losses[:_FEW_STEPS]):
        return None
    return Advice("coach.diverging", {"first": story.loss_first(), "now": story.loss_now()}, "lower_rate", "bad")


def rate_too_high(story: Story) -> Advice | None:
    """The loss jumped back up after falling, or never fell while gradients grew or the loss leapt about; both for
    long, clearly beyond the noise of single batches, and with no better score to speak against it."""
    losses = story.finite()
    long = max(_LONG, len(losses) // 6)
    if len(losses) < 2 * long or not _judged(story) or story.step - story.warmed < long or _improving(story):
        return None
    first, latest = story.loss_first(), losses[-long:]
    now = fmean(latest)
    low = min((losses[start : start + long] for start in range(len(losses) - long + 1)), key=fmean)
    lowest = fmean(low)
    values = {"first": first, "now": now, "lowest": lowest, "growth": story.norm_growth()}
    if lowest < 0.9 * first and now > _JUMPED * lowest and now > 0.6 * first and _clearly_above(latest, low):
        return Advice("coach.rate_high_jump", values, "lower_rate", "bad")
    # A long curve is read thinned to its highs and lows; their distance says nothing about single steps.
    whole = list(story.losses)[-long:] == list(range(story.step - long + 1, story.step + 1))
    leaps = fmean(abs(after - before) for before, after in pairwise(latest)) / max(now, 1e-9) if whole else 0
    if now > 0.9 * first and (story.norm_growth() > _NORM_GREW or leaps > _ROUGH):
        return Advice("coach.rate_high", values, "lower_rate", "bad")
    return None


def _judged(story: Story) -> bool:
    """Whether there were evaluations enough to speak of the learning rate: two, or all that a run had."""
    return len(story.checks) >= 2 or story.progress >= _NEARLY_DONE


def _improving(story: Story) -> bool:
    """Whether the latest evaluation is the best, and clearly better than the first."""
    best = story.best
    return (
        best is not None
        and best.step == story.checks[-1].step
        and story.gain(best.main, story.checks[0].main) > _IMPROVED
    )


def _clearly_above(some: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the mean of `some` losses is above that of `others` beyond what both leap about by themselves."""
    error = math.sqrt(sum(pvariance(losses) / len(losses) for losses in (some, others)))
    return fmean(some) - fmean(others) > _CLEAR * error


def one_class(story: Story) -> Advice | None:
    """Every validation row got the same answer.

    Then macro recall is 1 / classes, macro precision accuracy / classes, and macro-F1 follows from the two: a
    coincidence of all three that mixed answers do not give.
    """
    if not story.checks:
        return None
    metrics = story.checks[-1].metrics
    recall, accuracy = metrics.get("recall"), metrics.get("accuracy")
    if not recall or not accuracy or recall > 0.5 + 1e-9 or abs(round(1 / recall) - 1 / recall) > 1e-6:
        return None
    precision_fits = abs(metrics.get("precision", -1.0) - accuracy * recall) < 1e-6
    f1_fits = abs(metrics.get("macro_f1", -1.0) - recall * 2 * accuracy / (1 + accuracy)) < 1e-6
    if not precision_fits or not f1_fits:
        return None
    early = story.progress < 0.5 and len(story.checks) < 3
    values = {"step": story.checks[-1].step, "labels": round(1 / recall), "percent": 100 * accuracy}
    code = "coach.one_class_early" if early else "coach.one_class"
    return Advice(code, values, None if early else "more_epochs", "plain" if early else "look")


def overfitting(story: Story) -> Advice | None:
    """Validation loss has risen at least twice since its lowest while training loss went on falling."""
    checks = [check for check in story.checks if check.loss is not None]
    if len(checks) < 3:
        return None
    losses = [check.loss for check in checks if check.loss is not None]
    lowest = losses.index(min(losses))
    after = losses[lowest:]
    rises = sum(later > earlier for earlier, later in pairwise(after))
    if len(after) < 3 or rises < 2 or after[-1] < _OVERFIT * after[0] or after[-1] < after[-2]:
        return None
    best = story.best
    # A metric that still rises is worth more than a loss that only says "too sure of itself".
    if best is None or best.step == checks[-1].step:
        return None
    then, now = story.finite(0, checks[lowest].step), story.finite(checks[lowest].step)
    if not then or not now or fmean(now[-10:]) >= fmean(then[-10:]):
        return None
    values = {
        "times": rises,
        "step": checks[lowest].step,
        "lowest": after[0],
        "now": after[-1],
        "best": best.step,
        "score": best.main,
    }
    return Advice("coach.overfitting", values, "stop_best", "look")


def rate_too_low(story: Story) -> Advice | None:
    """A third of the steps are done and neither the training loss nor the score has moved."""
    if story.progress < 0.3 or len(story.finite()) < _FEW_STEPS + 2 or not _judged(story):
        return None
    first, now = story.loss_first(), story.loss_now()
    if now < _NOT_FALLEN * first or now > first / _NOT_FALLEN or story.norm_growth() > _NORM_GREW:
        return None
    if len(story.checks) > 1 and story.gain(story.checks[-1].main, story.checks[0].main) > _IMPROVED:
        return None
    values = {"first": first, "now": now, "percent": round(100 * story.progress)}
    return Advice("coach.rate_low", values, "raise_rate", "look")


def plateau(story: Story) -> Advice | None:
    """Three evaluations without a better score or a lower validation loss, and time left that could be saved."""
    if len(story.checks) < 4 or story.progress > 0.85:
        return None
    before, latest = story.checks[:-3], story.checks[-3:]
    reached = max(before, key=lambda check: story.gain(check.main, 0.0))
    if any(story.gain(check.main, reached.main) > _FLAT * _scale(story, reached.main) for check in latest):
        return None
    lowest = min((check.loss for check in before if check.loss is not None), default=None)
    if lowest is not None and any(check.loss is not None and check.loss < 0.99 * lowest for check in latest):
        return None
    values = {"step": reached.step, "score": reached.main, "now": latest[-1].main, "count": len(latest)}
    return Advice("coach.plateau", values, "stop_best", "look")


def below_simple(story: Story) -> Advice | None:
    """More than half is done and the best score is still under that of a simple model (or the untouched base)."""
    best, simple = story.best, story.best_simple()
    if best is None or simple is None or story.progress < 0.55:
        return None
    if story.gain(best.main, simple[1]) > -_BEHIND * _scale(story, simple[1]):
        return None
    name = "base" if simple[0] == "base" else "simple"
    rising = len(story.checks) > 1 and best.step == story.checks[-1].step
    values = {"score": best.main, "simple": simple[1], "step": best.step, "percent": round(100 * story.progress)}
    if rising:
        return Advice(f"coach.below_{name}_rising", values, "more_epochs", "plain")
    return Advice(f"coach.below_{name}", values, "use_simple" if name == "simple" else "lower_rate", "look")


def too_little_data(story: Story) -> Advice | None:
    """So few training rows that a fair share of the score is luck, unless the model is far ahead all the same."""
    if story.rows is None or not story.checks:
        return None
    # Only some rows are shown, so the labels seen on them are the least there can be.
    a_label = story.rows / max(1, len(story.labels)) if not story.lower_is_better else float(story.rows)
    if story.rows >= _FEW_ROWS and a_label >= _FEW_A_LABEL:
        return None
    best, simple = story.best, story.best_simple()
    if best is not None and simple is not None and story.gain(best.main, simple[1]) > _CLEARLY_AHEAD:
        return None
    return Advice("coach.too_little", {"rows": story.rows}, "add_rows", "look")


def healthy(story: Story) -> Advice | None:
    """Learning: the score rose at the latest evaluation or the training loss is falling."""
    first, now = story.loss_first() if story.finite() else 0.0, story.loss_now() if story.finite() else 0.0
    if len(story.checks) < 2:
        code = "coach.learning" if len(story.losses) >= _FEW_STEPS and now < _NOT_FALLEN * first else "coach.warming_up"
        return Advice(code, {"first": first, "now": now, "step": story.step}, None, "good" if now < first else "plain")
    latest, best, start = story.checks[-1], story.best, story.checks[0]
    rose = best is not None and story.gain(best.main, start.main) > 0
    if best is not None and rose and (best.step == latest.step or now < _NOT_FALLEN * first):
        values = {"first": start.main, "score": best.main, "step": best.step, "loss_first": first, "loss_now": now}
        return Advice("coach.healthy", values, None, "good")
    return Advice("coach.steady", {"score": latest.main, "step": latest.step}, None, "plain")


def _scale(story: Story, value: float) -> float:
    """1 for metrics between 0 and 1; the loss itself for losses, so that thresholds are shares of it."""
    return abs(value) if story.lower_is_better else 1.0


Rule = Callable[[Story], Advice | None]
TROUBLES: tuple[Rule, ...] = (diverging, rate_too_high, one_class, overfitting, rate_too_low)
RULES: tuple[Rule, ...] = (*TROUBLES, below_simple, plateau, too_little_data, healthy)
"""In order of urgency; the first that speaks is heard, and `healthy` always speaks."""
