"""Learning rates by kind, method and model, and whether the word table learns. No torch."""

from __future__ import annotations

from studio.methods.base import Method
from studio.models.card import Card
from studio.models.scratch import is_scratch
from studio.tasks.base import Task

_FEW_ROWS = 1000
_LARGE = 1_000_000_000


def rates(task: Task, method: Method, card: Card, train: int) -> tuple[float, float]:
    """Learning rates of the pretrained part and of a new head.

    A few hundred rows make few steps, so they are larger; models beyond a billion weights bear smaller ones.
    """
    if is_scratch(card.id):
        return task.kind.rates["scratch"]
    rate, head_rate = task.kind.rates.get(method.rates_of, (1e-4, 5e-3))
    if train < _FEW_ROWS and not method.adapter:
        rate *= 2
    return (rate / 5 if card.parameters > _LARGE else rate), head_rate


def freezes(card: Card, method: Method) -> bool:
    """Word tables that make up most of a model hardly gain from a small set and cost most of the optimizer's time."""
    return not method.adapter and not is_scratch(card.id) and card.embedding_parameters > 0.4 * card.parameters
