"""Switching an adapter off for one forward step, so that one set of weights answers as tuned and as base in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def base_only(model: torch.nn.Module) -> Callable[[], AbstractContextManager[None]]:
    """Makes contexts in which `model` (wrapped by peft) computes as if it had no adapter.

    peft's own `disable_adapter` walks all modules and touches every gradient flag, twice: half a token's time on a
    small model. Here the layers are found once and only their switch is turned. For inference only.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    layers: list[Any] = [
        part for part in model.modules() if isinstance(part, (BaseTunerLayer, AuxiliaryTrainingWrapper))
    ]

    @contextmanager
    def off() -> Iterator[None]:
        for layer in layers:
            layer._disable_adapters = True
        try:
            yield
        finally:
            for layer in layers:
                layer._disable_adapters = False

    return off
