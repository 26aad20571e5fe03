"""What a run costs in seconds, memory and disk: arithmetic on the model card and the hardware record. No torch.

The constants were fitted to runs on two CPU cores; what was measured of this very model replaces them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.hardware import Hardware
from studio.kinds.base import Kind, kinds
from studio.methods.base import Method
from studio.models.card import Card
from studio.tasks.windows import count
from studio.training.adversarial import passes
from studio.training.measured import Measured
from studio.training.optimizer import STATE_BYTES
from studio.training.options import TrainingOptions

EFFICIENCY = {"fp32": 0.62, "bf16": 0.4}
"""Share of the machine's matrix speed that a whole training step reaches: what is no matrix product (dropout,
attention's softmax, norms) gains nothing from the narrower format."""
BASELINE_SECONDS = 0.004
"""Seconds a row for the simple models."""
BASELINE_ROWS = 20_000
"""Rows they read at most."""
START_SECONDS = 8.0
"""Loading, tokenising, saving, reloading for the report."""
HEAD_ROWS = 1000
"""Rows on which a new head is placed before the first step."""
FAULTY_ROWS = 500
"""Test rows of which the report scores copies with small faults, at most."""
FAULTY_SECONDS = 10.0
"""About how long those copies may take; a slow model answers fewer rows."""
KEPT_PASSES = 1.5
"""From so many passes over the rows on it pays to compute the layers that do not learn ahead."""
_STEP_SECONDS = 0.015
_CHECKPOINTED = 0.25
"""Of the activations that gradient checkpointing still holds: what goes into each layer, and one layer's own."""
_OPTIMIZER_BYTES = 28
_MEMORY_SPEED = 12e9
_PROCESS_BYTES = 650_000_000


@dataclass(frozen=True)
class Work:
    """What is to be done: rows by split, sorted token lengths (of a sample), model, method and its options `how`,
    machine."""

    result: str
    card: Card
    method: Method
    how: Any
    lengths: tuple[int, ...]
    rows: int
    train: int
    validation: int
    test: int
    hardware: Hardware
    measured: Measured | None = None
    below: float = 0.0
    """The share of the layers that lie below the first one that learns, where they can be computed once."""
    windows: int = 1
    """In how many windows a text too long for one is read at most; each pass learns from one of them."""
    alterable: bool = True
    """Whether the task's rows can be augmented at all."""
    labels: tuple[int, ...] = ()
    """Training rows of each label, where augmentation may be capped by label."""
    context: int = 0
    """How many earlier rows are read before a text; what of them is too long is left out."""

    @property
    def kind(self) -> Kind:
        """The result kind."""
        return kinds.get(self.result)


def learnt(work: Work, options: TrainingOptions) -> int:
    """Training rows of a pass with the altered copies that augmentation adds: at most so many, since no copy may say
    what another row says."""
    if options.augment == "off" or not work.alterable:
        return work.train
    counts = work.labels or (work.train,)
    room = [max(0, options.augment_most - rows) if options.augment_most else math.inf for rows in counts]
    return work.train + sum(
        int(min(options.augment_copies * rows, left)) for rows, left in zip(counts, room, strict=True)
    )


def steps(work: Work, options: TrainingOptions) -> int:
    """Optimizer steps in all."""
    return max(1, math.ceil(options.epochs * math.ceil(learnt(work, options) / options.batch_size)))


def trainable(work: Work, options: TrainingOptions) -> int:
    """How many numbers the method moves, the new head aside."""
    fixed = work.card.embedding_parameters if options.freeze_embeddings == "yes" and not work.method.adapter else 0
    return work.method.moving(work.card, work.how) - fixed


def forward_flops(work: Work, lengths: Sequence[int]) -> float:
    """Operations of one forward pass, averaged a row, over rows of these lengths."""
    card = work.card
    inner = max(card.parameters - card.embedding_parameters, 1)
    head = card.vocabulary * card.hidden * 0.5 if work.kind.vocabulary else 0.0
    total = sum(2 * (inner + head) * length + 4 * card.layers * card.hidden * length * length for length in lengths)
    return total / len(lengths)


def speed(work: Work, options: TrainingOptions) -> float:
    """Operations a second that a step reaches."""
    record = work.hardware
    narrow = options.precision == "bf16" and record.gflops_bf16 > 0
    peak = record.gflops_bf16 if narrow else record.gflops
    return max(peak, 5.0) * 1e9 * EFFICIENCY["bf16" if narrow else "fp32"]


def row_seconds(work: Work, options: TrainingOptions) -> tuple[float, float]:
    """Seconds a row takes in a training step and, all its windows, in a forward pass, averaged over the lengths."""
    lengths = [min(length, options.max_length) for length in work.lengths]
    more = windows_a_row(work, options.max_length)
    again = options.gradient_checkpointing == "yes"  # every layer is computed a second time on the way back
    if work.measured:
        learn, read = work.measured.learning(lengths), work.measured.reading(lengths)
        return learn + again * read, more * read
    once = forward_flops(work, lengths) / speed(work, options)
    # An attack asks for gradients down to the word table, whatever is frozen above it.
    back = 3.0 if options.adversarial != "off" else work.method.backward
    return (back + again) * once, more * once


def windows_a_row(work: Work, max_length: int) -> float:
    """How many windows a row is read in, on average."""
    return sum(count(length, max_length, work.windows) for length in work.lengths) / len(work.lengths)


def step_seconds(work: Work, options: TrainingOptions) -> float:
    """Seconds of an optimizer step and of what surrounds it."""
    if work.measured:
        return _STEP_SECONDS / 3 + work.measured.step
    return _STEP_SECONDS + trainable(work, options) * _OPTIMIZER_BYTES / _MEMORY_SPEED


def seconds(work: Work, options: TrainingOptions) -> float:
    """From the start of the worker to the report. A frozen encoder is computed once, however many epochs there are."""
    learn, read = row_seconds(work, options)
    kind = work.kind
    evaluations = min(options.evaluations, steps(work, options)) + (1 if kind.before else 0)
    scored = min(work.validation, kind.validation_rows) * evaluations
    rows = learnt(work, options) * options.epochs * passes(options.adversarial, options.adversarial_steps)
    if work.method.encoder_fixed and options.adversarial == "off":
        learn, rows, scored = read, learnt(work, options), work.validation
    samples = kind.sample_seconds * evaluations + kind.report_seconds
    simple = min(work.rows, BASELINE_ROWS) * BASELINE_SECONDS if kind.simple else 0.0
    placed = min(work.train, HEAD_ROWS) if kind.places_head and not work.method.encoder_fixed else 0
    faulty = min(kind.faulty_copies * min(work.test, FAULTY_ROWS) * read, FAULTY_SECONDS)
    again = rows - work.train * windows_a_row(work, options.max_length)
    if _bottom_kept(work, options):
        learn -= work.below * read / windows_a_row(work, options.max_length) * max(0.0, again) / rows
    shown = rows * learn + (scored + placed + 2 * work.test) * read + faulty  # tuned and untuned take the test
    return START_SECONDS + shown + step_seconds(work, options) * steps(work, options) + samples + simple


def _bottom_kept(work: Work, options: TrainingOptions) -> bool:
    """Whether what comes out of the layers that do not learn is computed once for all passes."""
    passes = options.epochs / windows_a_row(work, options.max_length)
    return work.below > 0 and options.adversarial == "off" and passes >= KEPT_PASSES


def _row_bytes(work: Work, options: TrainingOptions) -> float:
    """Activations of the longest row a micro-batch may hold; the logits of its answer for chat."""
    card = work.card
    length = min(work.lengths[-1], options.max_length)
    kept = _CHECKPOINTED if options.gradient_checkpointing == "yes" else 1.0
    if work.measured:
        return kept * work.measured.holding(length)
    width = 34 if options.precision == "bf16" else 68
    layers = kept * card.layers * length * card.hidden * width
    logits = length * card.vocabulary * 12 if work.kind.vocabulary else 0
    return (0.15 if work.method.encoder_fixed else 1.0) * layers + logits


def micro_batch(work: Work, options: TrainingOptions) -> int:
    """The most rows at once whose activations stay within a third of the memory; halved until they do."""
    rows = options.batch_size
    room = work.hardware.usable_memory / 3
    while rows > 1 and rows * _row_bytes(work, options) > room:
        rows = (rows + 1) // 2
    return rows


def memory(work: Work, options: TrainingOptions) -> int:
    """Bytes at the peak: weights, gradients, optimizer, activations, the process itself."""
    frozen_bytes = 2 if options.precision == "bf16" and work.method.adapter else 4
    moving = trainable(work, options)
    rows = options.micro_batch or options.batch_size
    if options.micro_tokens:
        rows = max(1, min(rows, options.micro_tokens // min(work.lengths[-1], options.max_length)))
    if work.measured:
        return int(work.measured.fixed + rows * _row_bytes(work, options))
    learnt = moving * (4 + STATE_BYTES[options.optimizer])
    return int(_base_bytes(work, frozen_bytes) + learnt + rows * _row_bytes(work, options) + _PROCESS_BYTES)


def _base_bytes(work: Work, wide: int) -> float:
    """Bytes of the model's own weights, `wide` bytes each where the method does not keep them narrower."""
    card, narrow = work.card, work.method.linear_bytes
    if not narrow:
        return card.parameters * wide
    return (card.parameters - card.embedding_parameters) * narrow + card.embedding_parameters * wide


def disk(work: Work, options: TrainingOptions) -> int:
    """Bytes the run folder takes at its fullest: two checkpoints, the best weights, the finished model."""
    moving = trainable(work, options)
    whole = moving * 4 if work.method.adapter else work.card.parameters * 4
    kept = 4 * work.card.hidden * sum(min(length, options.max_length) for length in work.lengths) / len(work.lengths)
    below = work.train * kept if _bottom_kept(work, options) else 0.0
    states = 2 * moving * (4 + STATE_BYTES[options.optimizer]) + moving * 4
    return int(states + whole + below + 20_000_000 + work.rows * 3_000)
