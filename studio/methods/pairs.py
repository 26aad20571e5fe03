"""Which method tunes which task: every pair, judged by the methods themselves on a small model of each kind."""

from __future__ import annotations

from dataclasses import dataclass

from studio.hardware import Hardware
from studio.methods.base import Method, Verdict, methods
from studio.models.card import Card
from studio.tasks.base import Task, tasks

_FAMILIES = {"encoder": "bert", "decoder": "llama", "seq2seq": "t5"}


@dataclass(frozen=True)
class Pair:
    """A task and a method by key, the kinds of model with which they go together, and the method's verdict on one
    that does, else on the task's first."""

    task: str
    method: str
    models: tuple[str, ...]
    verdict: Verdict

    @property
    def ok(self) -> bool:
        return bool(self.models)


def pairs() -> list[Pair]:
    """All of them, by task. On a machine of any size: what a model is too large for is another question."""
    return [_judged(task, method) for task in tasks for method in methods]


def _judged(task: Task, method: Method) -> Pair:
    found = {kind: method.supports(task.peft_type, _card(kind), _roomy()) for kind in task.models}
    able = tuple(kind for kind, verdict in found.items() if verdict.ok)
    return Pair(task.key, method.key, able, found[(able or tuple(found))[0]])


def _card(kind: str) -> Card:
    return Card(
        id=f"local:{kind}", title=kind, folder=None, parameters=20_000_000, embedding_parameters=8_000_000,
        bytes=80_000_000, kind=kind, model_type=_FAMILIES[kind], hidden=384, layers=6, heads=6, vocabulary=20_000,
        max_positions=512,
    )  # fmt: skip


def _roomy() -> Hardware:
    return Hardware("cpu", "", 1, 10**12, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 1.0)
