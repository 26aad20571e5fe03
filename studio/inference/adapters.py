"""Turning an adapter off, or down, for one forward step: one set of weights answers as tuned, as base and between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
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


def can_be_turned_down(run_dir: Path) -> bool:
    """Whether a run's saved model is an adapter with a strength, told from its files alone; see `at_strength`."""
    try:
        saved = json.loads((run_dir / "model" / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(saved, dict) and saved.get("peft_type") == "LORA" and not saved.get("use_dora")


def at_strength(model: torch.nn.Module) -> Callable[[float], AbstractContextManager[None]] | None:
    """Makes contexts in which what tuning added to `model` counts by a share, 0 (as the base) to 1 (as tuned); a head
    stays the tuned one. None where that cannot be: no low-rank additions, or such whose size is not all they change.

    For inference only; what is set is put back when a context ends.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: list[Any] = [part for part in model.modules() if isinstance(part, BaseTunerLayer)]
    if not layers or not all(getattr(layer, "scaling", None) for layer in layers):
        return None
    if any(any((getattr(layer, "use_dora", None) or {}).values()) for layer in layers):
        return None  # DoRA also replaces the length of every weight's columns
    full = [(layer.scaling, dict(layer.scaling)) for layer in layers]

    @contextmanager
    def turned_down(share: float) -> Iterator[None]:
        for scaling, whole in full:
            scaling.update({name: share * value for name, value in whole.items()})
        try:
            yield
        finally:
            for scaling, whole in full:
                scaling.update(whole)

    return turned_down
