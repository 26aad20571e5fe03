"""The new head's first weights: a regression on what the untouched encoder says of some training rows.

A head drawn at random pulls the encoder about while it learns itself; one that already stands where the classes are
leaves the pretrained features whole (Kumar et al. 2022, arXiv:2202.10054) and needs far fewer steps.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.tasks.heads import core_of
from studio.training.batching import collate
from studio.training.cost import HEAD_ROWS
from studio.training.precision import number_format
from studio.training.validation import by_length

if TYPE_CHECKING:
    from studio.training.assemble import Assembled
    from studio.training.job import Progress

_LENGTH = 5.0
"""The mean length the features are scaled to, so that the strength of the penalty means the same for every model."""
_STRENGTH = 1.0


def place_head(found: Assembled, seed: int, progress: Progress) -> int:
    """Fit the classifier's weights on up to HEAD_ROWS training rows; how many were read, 0 where nothing was placed.

    For label tasks whose encoder is tuned; a model without `pooled` or without a classifier keeps its random head.
    """
    if found.task.result != "labels" or found.method.key == "head" or not hasattr(core_of(found.model), "pooled"):
        return 0
    head = {name.rpartition(".")[2]: part for name, part in _classifier(found.model)}
    if set(head) != {"weight", "bias"}:
        return 0
    rows = len(found.train.lengths)
    places = np.arange(rows)
    if rows > HEAD_ROWS:
        places = np.sort(np.random.default_rng([seed, 11]).choice(rows, HEAD_ROWS, replace=False))
    features, labels = _features(found, [int(place) for place in places], progress)
    if len(set(labels)) < 2:
        return 0
    _fit(head, features, np.array(labels))
    return len(labels)


def _classifier(model: Any) -> list[tuple[str, Any]]:
    """The classifier's own trainable parts, adapters' copies of it included."""
    return [
        (name, part) for name, part in model.named_parameters() if part.requires_grad and ".classifier." in f".{name}"
    ]


def _features(found: Assembled, places: list[int], progress: Progress) -> tuple[Any, list[int]]:
    """What the encoder says of these rows, (rows, H), and their label numbers."""
    import torch

    core = core_of(found.model).eval()
    lengths = found.train.lengths[np.array(places)]
    rows: list[Any] = [None] * len(places)
    labels = [0] * len(places)
    done = 0
    for part in by_length(lengths):
        taken = found.train.take([places[number] for number in part])
        batch = collate(taken, found.tokenizer.pad_token_id or 0, found.device)
        with torch.no_grad(), number_format(found.autocast, found.device):
            said = core.pooled(batch["input_ids"], batch["attention_mask"]).float().cpu().numpy()
        for number, item, row in zip(part, taken, said, strict=True):
            rows[number], labels[number] = row, int(item["labels"])
        done += len(part)
        progress(done, len(places))
    return np.stack(rows), labels


def _fit(head: dict[str, Any], features: Any, labels: Any) -> None:
    """Multinomial logistic regression into `head`; a label that none of the rows has keeps a score below all others."""
    import torch
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scale = _LENGTH / max(float(np.linalg.norm(features, axis=1).mean()), 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is enough: the steps go on from it
        fitted = LogisticRegression(C=_STRENGTH, max_iter=200, tol=1e-3).fit(features * scale, labels)
    coefficients, intercepts = fitted.coef_ * scale, fitted.intercept_
    if len(fitted.classes_) == 2:
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    with torch.no_grad():
        weight, bias = head["weight"], head["bias"]
        weight.zero_()
        bias.fill_(float(intercepts.min()) - 1.0)
        seen = torch.as_tensor(fitted.classes_, device=weight.device)
        weight[seen] = torch.as_tensor(coefficients, dtype=weight.dtype, device=weight.device)
        bias[seen] = torch.as_tensor(intercepts, dtype=bias.dtype, device=bias.device)
