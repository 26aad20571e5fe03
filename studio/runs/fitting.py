"""What tuning a model needs of this machine's memory, a line a method, and what fits where it does not.

Every number is the plan's own estimate, so that the card and the check before the start agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from studio import hardware
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.hardware import Hardware
from studio.methods.base import methods
from studio.models.card import Card
from studio.runs.draft import case_of
from studio.runs.objections import CLOSE
from studio.runs.reading import read_for
from studio.runs.speeds import known
from studio.tasks.base import tasks
from studio.training.plan import plan
from studio.workspace import Workspace

SMALLEST = {"micro_batch": 1, "gradient_checkpointing": "yes"}
"""The last rung that an out-of-memory run comes down to (`studio.training.memory`)."""


@dataclass(frozen=True)
class Need:
    """One method: bytes at the peak of a quick run, and at that of the same run with one row computed at once and
    activations computed twice. `tone` is "good", "amber" (close, or only with single rows) or "bad"."""

    method: str
    bytes: int
    least: int
    tone: str


def needs(workspace: Workspace, version: DataVersion, use: Use, card: Card) -> list[Need]:
    """A line for each method that this task and model go with and whose library is here, in the methods' order."""
    machine = hardware.read_or_probe(workspace)
    lengths = read_for(workspace, version, use, card.id).lengths
    return [_need(workspace, version, use, card, key, lengths, machine) for key in _fitting(use.task, card, machine)]


def _fitting(task: str, card: Card, machine: Hardware) -> list[str]:
    """Keys of the methods that go with both; one that is only too big for this machine stays, to be shown as such."""
    found = [(method.key, method.supports(tasks.get(task).peft_type, card, machine)) for method in methods]
    return [key for key, verdict in found if verdict.ok or verdict.code.startswith("verdict.method_too_big")]


def _need(
    workspace: Workspace, version: DataVersion, use: Use, card: Card, method: str, lengths: list[int], machine: Hardware
) -> Need:
    case = case_of(version, use, card, method, lengths, machine, tasks.get(use.task).Options())
    first = plan(case, "quick")
    measured = known(workspace, card.id, use.task, method, first.options)
    if measured is not None:
        case = dataclasses.replace(case, measured=measured)
        first = plan(case, "quick")
    wanted = first.estimate.memory_bytes
    least = min(wanted, plan(case, "quick", SMALLEST).estimate.memory_bytes)
    able = methods.get(method).supports(tasks.get(use.task).peft_type, card, machine).ok
    return Need(method, wanted, least, _tone(wanted, least if able else 1 << 62, machine.usable_memory))


def _tone(wanted: int, least: int, memory: int) -> str:
    if least > memory:
        return "bad"
    return "good" if wanted <= CLOSE * memory else "amber"


def largest(workspace: Workspace, version: DataVersion, use: Use, cards: Iterable[Card]) -> tuple[Card, Need] | None:
    """The model with most parameters among `cards` that some method tunes here with room to spare, and that method."""
    for card in sorted(cards, key=lambda item: -item.parameters):
        good = [need for need in needs(workspace, version, use, card) if need.tone == "good"]
        if good:
            return card, good[0]
    return None


def memory_of(workspace: Workspace) -> int:
    """Bytes that the numbers above are held against."""
    return hardware.read_or_probe(workspace).usable_memory
