"""Short texts in the room that padding would take: rows that a left-to-right model learns from stand one behind the
other where together they are no longer than the longest. Positions begin anew with each, and none sees another.

Grouping by length comes first and does most of it. In batches of 8 it leaves 3.5 % of padding in short chats
(chatterbot-corpus), of which nothing can be packed away, and 17 % where lengths spread widely (log-normal, sigma 0.7),
of which this takes 8; without grouping those are 24 and 58 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from studio.tasks.causal import IGNORED, token_losses
from studio.training.batching import Numbers, Sampler, collate, micro_batches
from studio.training.precision import number_format

if TYPE_CHECKING:
    import torch

    from studio.training.assemble import Assembled
    from studio.training.batching import Items

_SEEN = 200
"""Batches of the first pass by which the padding is judged."""
LEAST = 0.02
"""Of what is computed, the least share that has to be padding for packing to be worth another order of sums."""
_GAP = {"fp32": 1e-3, "bf16": 0.02}
"""How far the loss of a token may move, on average: rounding, by the format of the products."""


def places(lengths: Sequence[int]) -> list[list[int]]:
    """Which rows share one: the longest first, each in the first row that has room for it."""
    longest = max(lengths)
    rows: list[list[int]] = []
    used: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        for place, length in enumerate(used):
            if length + lengths[row] <= longest:
                rows[place].append(row)
                used[place] += lengths[row]
                break
        else:
            rows.append([row])
            used.append(lengths[row])
    return rows


def packed(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch in fewer rows, with `position_ids` in place of the mask: padding is told by position, as the rows are.
    The batch itself where none fits beside another. Every tensor of the batch is of shape (B, T) or (B, T, H)."""
    import torch

    mask = batch["attention_mask"]
    lengths: list[int] = mask.sum(1).tolist()
    shared = places(lengths)
    if len(shared) == len(lengths):
        return batch
    width = mask.shape[1]
    made = {
        name: part.new_full((len(shared), *part.shape[1:]), IGNORED if name == "labels" else 0)
        for name, part in batch.items()
        if name != "attention_mask"
    }
    positions = torch.zeros(len(shared), width, dtype=torch.long)
    for row, members in enumerate(shared):
        start = 0
        for member in members:
            end = start + lengths[member]
            for name, part in made.items():
                part[row, start:end] = batch[name][member, : lengths[member]]
            made["labels"][row, start] = IGNORED  # nothing stands before it that could foretell it
            positions[row, start:end] = torch.arange(end - start)
            start = end
        positions[row, start:] = torch.arange(width - start)
    return {**made, "position_ids": positions.to(mask.device)}


def saved(sampler: Sampler, lengths: Numbers, micro_batch: int, micro_tokens: int) -> float:
    """The share of the computed tokens that packing spares in the first pass."""
    before = after = 0
    for step in range(1, min(_SEEN, sampler.steps_per_epoch) + 1):
        for part in micro_batches(sampler.batch(step), lengths, micro_batch, micro_tokens):
            among = [int(lengths[place]) for place in part]
            before += len(among) * max(among)
            after += len(places(among)) * max(among)
    return 1 - after / before


def holds(found: Assembled, items: Items) -> bool:
    """Whether the model reads packed rows as it reads them alone: some families carry more than attention from token
    to token. Tried on the longest row and the shortest that fit beside each other."""
    import torch

    order = np.argsort(items.lengths, kind="stable")
    few = [int(place) for place in (*islice(order, 3), order[-1])]
    batch = collate(items.take(few), found.tokenizer.pad_token_id or 0, found.device)
    shared = packed(batch)
    if shared is batch:
        return False
    found.model.eval()
    with torch.no_grad(), number_format(found.autocast, found.device):
        alone, beside = (token_losses(found.model, one).sort().values for one in (batch, shared))
    return len(alone) == len(beside) and float((alone - beside).abs().mean()) <= _GAP[found.autocast]
