"""What a tuning method is: which weights move. It sees a model card and the hardware, never the task's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from studio.registry import Registry

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card


Loaded = TypeVar("Loaded")


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
    kin: ClassVar[str] = ""
    """The key of the method whose learning rates, and their reason, hold for this one too; where empty, its own."""
    backward: ClassVar[float] = 3.0
    """What a training step computes, in forward passes."""
    encoder_fixed: ClassVar[bool] = False
    """Whether all below the head stays as it is, so that what it says of a text needs computing only once."""
    linear_bytes: ClassVar[float] = 0.0
    """Bytes that a weight of the layers' matrices takes in memory once quantised; 0: as wide as it is computed in."""
    merged_gap: ClassVar[float] = 1e-3
    """How far an answer (a probability, or a score on its own scale) may move when the adapter is merged."""

    @property
    def rates_of(self) -> str:
        """The key under which a kind names this method's learning rates."""
        return self.kin or self.key

    @abstractmethod
    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        """Whether this method can tune that model here, with the reason."""

    def moving(self, card: Card, options: Any) -> int:
        """How many numbers move, the new head aside: what the plan counts gradients and moments for."""
        return card.parameters

    def below(self, card: Card, options: Any) -> float:
        """The share of the layers that lie below the first one that learns; what comes out of them can be computed
        once for all passes."""
        return 0.0

    def pace(self, name: str, options: Any) -> float:
        """How many times the run's learning rate the parameter called `name` learns at."""
        return 1.0

    def open(self, load: Callable[[], Loaded]) -> Loaded:
        """Call `load`, which reads a base from disk, so that its weights are kept the way this method keeps them."""
        return load()

    @abstractmethod
    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        """Mark what trains (`requires_grad`) and wrap the model where needed; returns the model to train."""

    @abstractmethod
    def save(self, model: torch.nn.Module, folder: str) -> None:
        """Write what was tuned (safetensors + config) so that `load` finds it."""

    @abstractmethod
    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Put what `save` wrote back onto a freshly loaded task model; ready for inference."""

    def merged(self, model: torch.nn.Module) -> torch.nn.Module:
        """One plain model that answers like the tuned one, without adapter or quantised weights; `model` is spent."""
        return model


methods: Registry[Method] = Registry("method", "studio.methods")
