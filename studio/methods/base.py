"""What a tuning method is: which weights move. It sees a model card and the hardware, never the task's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from studio.registry import Registry

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card


@dataclass(frozen=True)
class Verdict:
    """Whether something can be used, and the catalogue code of the sentence that says why (not)."""

    ok: bool
    code: str
    values: dict[str, Any] = field(default_factory=dict)


class Method(ABC):
    """A tuning method. Words: `method.<key>.title`, `method.<key>.blurb` (when to use it)."""

    key: ClassVar[str]
    order: ClassVar[int] = 100
    Options: ClassVar[type]
    """A dataclass of `studio.options.option` fields; group "method"."""
    adapter: ClassVar[bool] = False
    """Whether the result is an adapter beside an unchanged base."""

    @abstractmethod
    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        """Whether this method can tune that model here, with the reason."""

    @abstractmethod
    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        """Mark what trains (`requires_grad`) and wrap the model where needed; returns the model to train."""

    @abstractmethod
    def save(self, model: torch.nn.Module, folder: str) -> None:
        """Write what was tuned (safetensors + config) so that `load` finds it."""

    @abstractmethod
    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Put what `save` wrote back onto a freshly loaded task model; ready for inference."""


methods: Registry[Method] = Registry("method", "studio.methods")
