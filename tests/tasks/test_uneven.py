"""Uneven labels: how strongly rows are drawn, and a loss that looks away from what is already sure."""

from __future__ import annotations

import pytest
import torch

from studio.tasks.base import tasks
from studio.tasks.classification import ClassificationOptions
from studio.tasks.multilabel import MultiLabelOptions
from studio.tasks.uneven import focal, pull

ONE, MANY = tasks.get("classification"), tasks.get("multilabel")


class Says(torch.nn.Module):
    """Answers every batch with the same logits."""

    def __init__(self, logits, weights) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))
        self.class_weights = torch.tensor(weights)

    def forward(self, **_):
        return self


def test_labels_are_drawn_equally_often_at_most():
    assert [pull(count, 0.0) for count in (1, 90)] == [1.0, 1.0]
    labels = [0] * 90 + [1] * 10
    for share, expected in ((1.0, 1.0), (0.5, 3.0)):
        pulls = ONE.pulls(labels, share)
        assert sum(pulls[:90]) / sum(pulls[90:]) == pytest.approx(expected)


def test_a_row_of_several_labels_counts_by_its_rarest():
    rows = [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    pulls = MANY.pulls(rows, 1.0)
    assert pulls == pytest.approx([1 / 3, 1 / 3, 1.0, 1 / 3])
    assert MANY.pulls([[0.0], [0.0]], 1.0) == [1.0, 1.0], "no row has a label"


def test_focal_loss_counts_sure_rows_less():
    model, batch = Says([[4.0, 0.0], [0.2, 0.0]], [1.0, 1.0]), {"labels": torch.tensor([0, 0])}
    plain = ONE.loss(model, batch, ClassificationOptions(label_smoothing=0.0))
    shares = model.logits.softmax(-1)[:, 0]
    by_hand = (-(shares.log()) * (1 - shares) ** 2).sum()
    found = ONE.loss(model, batch, ClassificationOptions(focal_gamma=2.0, label_smoothing=0.0))
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert found < plain
    assert focal(torch.tensor([1.0]), 2.0).item() == 0.0


def test_focal_loss_of_several_labels_looks_at_what_is_true_of_each():
    model, batch = Says([[3.0, -3.0]], [1.0, 1.0]), {"labels": torch.tensor([[1.0, 1.0]])}
    share = torch.sigmoid(torch.tensor([3.0, -3.0]))
    by_hand = (-(share.log()) * (1 - share) ** 2).sum() / 2
    found = MANY.loss(model, batch, MultiLabelOptions(focal_gamma=2.0))
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert MANY.loss(model, batch, MultiLabelOptions()).item() > found.item()
