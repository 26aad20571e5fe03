"""The new head's first weights: a regression on what the untouched encoder says of some training rows.

A head drawn at random pulls the encoder about while it learns itself; one that already stands where the classes are
leaves the pretrained features whole (Kumar et al. 2022, arXiv:2202.10054) and needs far fewer steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from studio.evaluation.kinds.base import Judge, judges
from studio.tasks.heads import core_of, inputs_of
from studio.training.batching import collate
from studio.training.cost import HEAD_ROWS
from studio.training.precision import number_format
from studio.training.validation import by_length

if TYPE_CHECKING:
    from studio.training.assemble import Assembled
    from studio.training.job import Progress


def place_head(found: Assembled, seed: int, progress: Progress) -> int:
    """Fit the classifier's weights on up to HEAD_ROWS training rows; how many were read, 0 where nothing was placed.

    For kinds that place one, where the encoder is tuned; a model without `pooled` or without a classifier, or one with
    a head of several layers, keeps its random head.
    """
    if (
        found.continued
        or not found.task.kind.places_head
        or found.method.encoder_fixed
        or not hasattr(core_of(found.model), "pooled")
    ):
        return 0
    judge = judges.get(found.task.result)
    parts = _classifier(found.model)
    head = {name.rpartition(".")[2]: part for name, part in parts}
    if len(parts) != 2 or set(head) != {"weight", "bias"}:
        return 0
    rows = len(found.train.lengths)
    places = np.arange(rows)
    if rows > HEAD_ROWS:
        places = np.sort(np.random.default_rng([seed, 11]).choice(rows, HEAD_ROWS, replace=False))
    features, targets = _features(found, judge, [int(place) for place in places], progress)
    # A row of which a damaged model says no number places nothing; the training ends there with its own sentence.
    sound = np.isfinite(features).all(axis=1)
    features, targets = features[sound], [target for target, kept in zip(targets, sound, strict=True) if kept]
    fitted = judge.fit_head(features, targets) if targets else None
    if fitted is None:
        return 0
    _place(head, *fitted)
    return len(targets)


def _classifier(model: Any) -> list[tuple[str, Any]]:
    """The classifier's own trainable parts, adapters' copies of it included."""
    return [
        (name, part) for name, part in model.named_parameters() if part.requires_grad and ".classifier." in f".{name}"
    ]


def _features(found: Assembled, judge: Judge, places: list[int], progress: Progress) -> tuple[Any, list[Any]]:
    """What the encoder says of these rows, (rows, H), and what the head shall say of them."""
    import torch

    core = core_of(found.model).eval()
    lengths = found.train.lengths[np.array(places)]
    rows: list[Any] = [None] * len(places)
    targets: list[Any] = [None] * len(places)
    done = 0
    for part in by_length(lengths):
        taken = found.train.take([places[number] for number in part])
        batch = collate(taken, found.tokenizer.pad_token_id or 0, found.device, found.task.blanks)
        with torch.no_grad(), number_format(found.autocast, found.device):
            said = core.pooled(**inputs_of(batch)).float().cpu().numpy()
        for number, item, row in zip(part, taken, said, strict=True):
            rows[number], targets[number] = row, judge.target(item)
        done += len(part)
        progress(done, len(places))
    return np.stack(rows), targets


def _place(head: dict[str, Any], weights: Any, biases: Any) -> None:
    """Into `head`; an output that no row told about keeps a score below all others."""
    import torch

    with torch.no_grad():
        weight, bias = head["weight"], head["bias"]
        known = np.flatnonzero(~np.isnan(biases))
        weight.zero_()
        bias.fill_(float(biases[known].min()) - 1.0)
        seen = torch.as_tensor(known, device=weight.device)
        weight[seen] = torch.as_tensor(weights[known], dtype=weight.dtype, device=weight.device)
        bias[seen] = torch.as_tensor(biases[known], dtype=bias.dtype, device=bias.device)
