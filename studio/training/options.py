"""How a model is trained, as typed options; the plan fills them from a preset, a person may change each."""

from __future__ import annotations

from dataclasses import dataclass

from studio.data.augment import KINDS as AUGMENT_KINDS
from studio.options import option
from studio.training.adversarial import KINDS

OPTIMIZERS = ("adamw", "adamw-8bit", "adafactor", "sgd")
"""See `studio.training.optimizer`."""


@dataclass(frozen=True)
class TrainingOptions:
    """Rates are those at the top of the schedule. `batch_size` counts rows of one optimizer step in all (global);
    `micro_batch` how many of them are computed at once (0: as many as memory allows), `micro_tokens` how many tokens,
    padding included (0: no bound), so that long rows are computed by few and short ones by many; `checkpoint_every`
    counts optimizer steps (0: about once a minute), `patience` evaluations without a better score (0: never stop
    early), `max_length` tokens a row, `epochs` passes over the training rows (0.5 is half a pass).
    `gradient_checkpointing` computes activations again instead of keeping them ("auto": when memory ran out), and
    `retry_smaller` lets a run that ran out of memory go on by itself with less at once. `momentum` belongs to the
    optimizer "sgd".
    `language_first` has the model learn the language of the training texts before the task, in `language_epochs` passes
    over them (see `studio.training.language`).
    What begins with `adversarial` is explained in `studio.training.adversarial`, what begins with `augment` in
    `studio.data.augment`."""

    epochs: float = option(3.0, low=0.01, high=200, step=0.5)
    learning_rate: float = option(1e-4, low=1e-7, high=0.1)
    head_learning_rate: float = option(5e-3, low=1e-7, high=1.0)
    batch_size: int = option(16, low=1, high=4096, step=1)
    max_length: int = option(128, low=4, high=32768, step=1)
    warmup_share: float = option(0.1, low=0.0, high=0.9, step=0.05)
    weight_decay: float = option(0.01, low=0.0, high=1.0, step=0.01)
    optimizer: str = option("adamw", choices=OPTIMIZERS)
    momentum: float = option(0.9, low=0.0, high=0.99, step=0.05)
    schedule: str = option("linear", choices=("linear", "cosine", "constant"))
    evaluations: int = option(5, low=1, high=100, step=1)
    patience: int = option(0, low=0, high=100, step=1)
    keep_best: bool = option(True)
    precision: str = option("auto", choices=("auto", "fp32", "bf16"))
    micro_batch: int = option(0, low=0, high=4096, step=1)
    micro_tokens: int = option(0, low=0, high=1_000_000, step=256)
    gradient_checkpointing: str = option("auto", choices=("auto", "yes", "no"))
    retry_smaller: bool = option(True)
    checkpoint_every: int = option(0, low=0, high=100000, step=1)
    freeze_embeddings: str = option("auto", choices=("auto", "yes", "no"))
    max_grad_norm: float = option(1.0, low=0.01, high=1000.0, step=0.1)
    adversarial: str = option("off", choices=KINDS)
    adversarial_size: float = option(0.1, low=0.001, high=1.0, step=0.01)
    adversarial_steps: int = option(3, low=1, high=10, step=1)
    augment: str = option("off", choices=AUGMENT_KINDS)
    augment_model: str = option("")
    augment_copies: int = option(1, low=1, high=10, step=1)
    augment_share: float = option(0.1, low=0.01, high=0.5, step=0.01)
    augment_most: int = option(0, low=0, high=1_000_000, step=1)
    language_first: bool = option(False)
    language_epochs: float = option(3.0, low=0.01, high=200, step=0.5)
