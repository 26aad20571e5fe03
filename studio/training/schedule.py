"""When things happen in a run, and which of two scores is better: pure functions of step numbers and options."""

from __future__ import annotations

import math

from studio.training.options import TrainingOptions


def rate_at(step: int, steps: int, options: TrainingOptions) -> float:
    """The share of the learning rate used by optimizer step `step` (from 1) of `steps`: warm-up, then the schedule."""
    warm = int(options.warmup_share * steps)
    if step <= warm:
        return step / max(warm, 1)
    if options.schedule == "constant":
        return 1.0
    gone = (step - 1 - warm) / max(steps - warm, 1)
    return 0.5 * (1 + math.cos(math.pi * gone)) if options.schedule == "cosine" else 1 - gone


def is_better(
    score: tuple[float, float], best: tuple[float, float] | None, lower_is_better: bool, tie: float = 0.0
) -> bool:
    """Whether (main metric, loss) beats the best so far; metrics at most `tie` apart are decided by the lower loss."""
    if best is None:
        return True
    gain = best[0] - score[0] if lower_is_better else score[0] - best[0]
    return gain > tie or (abs(gain) <= tie and score[1] < best[1])


def evaluation_steps(steps: int, evaluations: int, first: int = 0) -> frozenset[int]:
    """After which steps the model is scored: evenly spread, the last step always; `first` adds an early one."""
    count = max(1, min(evaluations, steps))
    spread = {round(steps * number / count) for number in range(1, count + 1)}
    return frozenset(spread | ({first} if 0 < first < steps else set()))
