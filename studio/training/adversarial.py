"""Adversarial training: the texts' embeddings are shifted to where the loss is higher, and that is learnt too.

FGM (Miyato, Dai, Goodfellow 2017, arXiv:1605.07725), PGD (Madry et al. 2018, arXiv:1706.06083) and FreeLB (Zhu et
al. 2020, arXiv:1909.11764). The shift is added to what the word table gives out by a hook that lives for one batch:
no weight is ever changed, so there is nothing to restore.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KINDS = ("off", "fgm", "pgd", "freelb")
_STRIDE = 2.5
"""Of the way to the border that all steps together may go, so that a later step can still turn (Madry et al.)."""


def passes(kind: str, steps: int) -> int:
    """Forward and backward passes of one batch: what adversarial training costs."""
    return {"off": 1, "fgm": 2, "pgd": steps + 1, "freelb": steps}[kind]


class Attack:
    """Fills the gradients of one batch. `size` is the length of the shift as a share of the row's own embeddings, so
    that it means the same for every model; `steps` are those towards the higher loss (FGM takes one)."""

    def __init__(self, model: torch.nn.Module, kind: str, size: float, steps: int) -> None:
        self._table: Any = model.get_input_embeddings()  # type: ignore[operator]
        self._kind, self._size, self._steps = kind, size, 1 if kind == "fgm" else steps
        self._shift: torch.Tensor | None = None
        self._plain: torch.Tensor | None = None
        self._mask: torch.Tensor | None = None

    def accumulate(self, loss_of: Callable[[], torch.Tensor], mask: torch.Tensor) -> float:
        """Add the batch's gradients; returns its loss (FGM, PGD: on the plain text; FreeLB: over its steps).

        `loss_of` computes the loss of the batch anew, `mask` (B, T) is 1 at its real tokens. Gradients are partial
        when the loss is not finite.
        """
        with self._hooked(mask):
            return self._freelb(loss_of) if self._kind == "freelb" else self._pgd(loss_of)

    def _pgd(self, loss_of: Callable[[], torch.Tensor]) -> float:
        """Half of the gradient from the plain text, half from the worst shift found in `steps` steps."""
        import torch

        plain = loss_of()
        value = float(plain.detach())
        if not math.isfinite(value):
            return value
        (plain / 2).backward()  # type: ignore[no-untyped-call]
        assert self._shift is not None, "the model has read its word table"
        climb = self._shift.grad
        for step in range(self._steps):
            self._move(climb)
            shifted = loss_of()
            if step == self._steps - 1:
                (shifted / 2).backward()  # type: ignore[no-untyped-call]
            else:
                (climb,) = torch.autograd.grad(shifted, self._shift)
        return value

    def _freelb(self, loss_of: Callable[[], torch.Tensor]) -> float:
        """The mean over the steps of an ascent from a random shift; every step's gradient is learnt from."""
        summed = 0.0
        for _ in range(self._steps):
            loss = loss_of() / self._steps
            value = float(loss.detach())
            summed += value
            if not math.isfinite(value):
                break
            loss.backward()  # type: ignore[no-untyped-call]
            assert self._shift is not None, "the model has read its word table"
            self._move(self._shift.grad)
        return summed

    @contextmanager
    def _hooked(self, mask: torch.Tensor) -> Iterator[None]:
        self._mask = mask
        hook = self._table.register_forward_hook(self._shifted)
        try:
            yield
        finally:
            hook.remove()
            self._shift = self._plain = self._mask = None

    def _shifted(self, table: Any, inputs: Any, plain: torch.Tensor) -> torch.Tensor:
        if self._shift is None:
            self._plain = plain.detach()
            self._shift = self._start(self._plain).requires_grad_()
        return plain + self._shift

    def _start(self, plain: torch.Tensor) -> torch.Tensor:
        """No shift, or for FreeLB one drawn within the border."""
        import torch

        if self._kind != "freelb":
            return torch.zeros_like(plain)
        drawn = torch.empty_like(plain).uniform_(-1, 1) * self._over(plain)
        return drawn * (self._border() * torch.rand_like(self._border()) / _length(drawn))

    def _move(self, climb: torch.Tensor | None) -> None:
        """One step towards the higher loss, not beyond the border. The new shift begins a new graph."""
        import torch

        assert self._shift is not None, "the model has read its word table"
        assert climb is not None, "the loss depends on the word table"
        border = self._border()
        stride = border if self._kind == "fgm" else border * min(1.0, _STRIDE / self._steps)
        with torch.no_grad():
            direction = climb * self._over(climb)
            moved = self._shift + direction * (stride / _length(direction))
            moved = moved * (border / _length(moved)).clamp(max=1.0)
        self._shift = moved.requires_grad_()

    def _border(self) -> torch.Tensor:
        """The longest shift of each row, (B, 1, 1)."""
        assert self._plain is not None
        return self._size * _length(self._plain * self._over(self._plain))

    def _over(self, like: torch.Tensor) -> torch.Tensor:
        """1 at real tokens, (B, T, 1): padding is not shifted."""
        assert self._mask is not None
        return self._mask.unsqueeze(-1).to(like.dtype)


def _length(rows: torch.Tensor) -> torch.Tensor:
    """The Euclidean length of each row's embeddings taken together, (B, 1, 1); never zero."""
    lengths: torch.Tensor = rows.flatten(1).norm(dim=1)  # type: ignore[no-untyped-call]
    return lengths.clamp(min=1e-12).view(-1, 1, 1)
