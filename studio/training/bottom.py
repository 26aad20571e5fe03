"""The bottom of a model: the layers below the first one that learns. What comes out of them is the same in every pass,
so a run of several passes computes it once and keeps it in a file; each step then begins where something learns.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.methods.parts import block_stack
from studio.tasks.base import Item
from studio.tasks.heads import core_of
from studio.training.batching import BELOW, Items, collate
from studio.training.cost import KEPT_PASSES
from studio.training.precision import number_format
from studio.training.validation import by_length

if TYPE_CHECKING:
    import torch

    from studio.training.assemble import Assembled

_MOST_BYTES = 16_000_000_000
_LEFT_FREE = 2_000_000_000
"""Bytes of the disk that stay free for checkpoints and the model."""
_CHECKED_ROWS = 4


class _Reached(Exception):
    """Ends a forward pass at the top of the bottom."""


class Bottom:
    """The lowest `layers` of `total` numbered layers of a model, none of which learns."""

    def __init__(self, model: torch.nn.Module, blocks: Any, layers: int) -> None:
        self._blocks, self._last = [blocks[place] for place in range(layers)], blocks[-1]
        self.layers, self.total = layers, len(blocks)
        self._still = [*self._blocks, *_beside(core_of(model).base_model, blocks)]
        self._rest: tuple[Any, ...] | None = None
        """What a layer gives beside its vectors; None where it gives them alone."""

    @staticmethod
    def of(model: torch.nn.Module) -> Bottom | None:
        """None where the first layer learns, or where the layers are no single stack."""
        core = core_of(model)
        _, blocks = block_stack(core)
        moving = [place for place, block in enumerate(blocks) if any(part.requires_grad for part in block.parameters())]
        words = core.get_input_embeddings()
        if not moving or not moving[0] or core.config.is_encoder_decoder or words.weight.requires_grad:
            return None
        return Bottom(model, blocks, moving[0])

    def still(self) -> None:
        """Out of training mode: chance down there would only disturb what is learnt above."""
        for part in self._still:
            part.eval()

    def read(self, forward: Callable[[], Any]) -> torch.Tensor:
        """What comes out of the bottom in a forward pass, (B, T, H); nothing above it is computed."""
        found: list[Any] = []

        def reached(module: Any, inputs: Any, output: Any) -> None:
            found.append(output)
            raise _Reached

        with _hooked(self._blocks[-1], reached), contextlib.suppress(_Reached):
            forward()
        self._rest = found[0][1:] if isinstance(found[0], tuple) else None
        return _vectors(found[0])

    @contextlib.contextmanager
    def given(self, below: torch.Tensor) -> Iterator[None]:
        """While this lasts a forward pass takes `below` for what comes out of the bottom."""
        told = below if self._rest is None else (below, *self._rest)
        for block in self._blocks:
            block.forward = lambda *inputs, **more: told
        try:
            yield
        finally:
            for block in self._blocks:
                del block.forward

    def holds(self, batch: dict[str, torch.Tensor], forward: Callable[[], Any]) -> bool:
        """Whether a pass over `batch` that begins above the bottom comes to what a whole one does. Some families do
        more between their layers than hand vectors on, and some tasks read a row in parts of their own."""
        import torch

        below = self.read(forward)
        if below.shape[:2] != batch["input_ids"].shape:
            return False
        whole = self._top(forward)
        with self.given(below):
            above = self._top(forward)
        inside = batch["attention_mask"].bool()
        return len(whole) == len(above) == 1 and bool(
            torch.allclose(whole[0][inside].float(), above[0][inside].float(), atol=1e-3, rtol=1e-3)
        )

    def _top(self, forward: Callable[[], Any]) -> list[torch.Tensor]:
        """What comes out of the last layer of all, each time that it is asked."""
        found: list[torch.Tensor] = []
        with _hooked(self._last, lambda module, inputs, output: found.append(_vectors(output))):
            forward()
        return found


def _vectors(output: Any) -> torch.Tensor:
    """The vectors among what a layer gives."""
    found: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return found


@contextlib.contextmanager
def _hooked(module: torch.nn.Module, hook: Callable[[Any, Any, Any], None]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _beside(base: Any, blocks: Any) -> list[Any]:
    """The parts of `base` beside the list of layers that do not learn: embeddings, their dropout, a norm."""
    found = []
    for part in base.children():
        if any(piece is blocks for piece in part.modules()):
            found += [] if part is blocks else _beside(part, blocks)
        elif not any(weight.requires_grad for weight in part.parameters()):
            found.append(part)
    return found


def given(bottom: Bottom | None, below: torch.Tensor | None) -> contextlib.AbstractContextManager[None]:
    """`Bottom.given` where something was computed ahead."""
    return contextlib.nullcontext() if bottom is None or below is None else bottom.given(below)


class KeptItems:
    """Items with what comes out of the bottom for each, (T, H), read a batch at a time from a file in `folder` that
    goes with this process, however it ends."""

    def __init__(self, items: Items, folder: Path) -> None:
        self._items, self._file = items, tempfile.TemporaryFile(dir=folder)
        self.lengths, self.rows = items.lengths, items.rows
        self._starts = np.zeros(len(self.lengths), dtype=np.int64)
        self._kind: Any = None
        self._width = 0

    def take(self, rows: Sequence[int]) -> list[Item]:
        import torch

        found = []
        for place, item in zip(rows, self._items.take(rows), strict=True):
            tokens = int(self.lengths[place])
            raw = bytearray(os.pread(self._file.fileno(), tokens * self._width, int(self._starts[place])))
            found.append({**item, BELOW: torch.frombuffer(raw, dtype=self._kind).view(tokens, -1)})
        return found

    def write(self, found: Assembled, bottom: Bottom, progress: Callable[[int, int], None]) -> bool:
        """Compute all of it, by length; False where the model cannot be read in two parts. Raises OSError."""
        import torch

        place = done = 0
        with torch.no_grad(), number_format(found.autocast, found.device):
            for part in by_length(self.lengths):
                batch = collate(
                    self._items.take(part), found.tokenizer.pad_token_id or 0, found.device, found.task.blanks
                )

                def forward(batch: dict[str, torch.Tensor] = batch) -> torch.Tensor:
                    return found.task.loss(found.model, batch, found.task_options)

                few = {name: tensor[:_CHECKED_ROWS] for name, tensor in batch.items()}
                if not done and not bottom.holds(few, partial(forward, few)):
                    return False
                hidden = bottom.read(forward).cpu()
                self._kind, self._width = hidden.dtype, hidden.shape[2] * hidden.element_size()
                for number, vectors in zip(part, hidden, strict=True):
                    kept = vectors[: int(self.lengths[number])].contiguous()
                    self._starts[number], place = place, place + kept.nbytes
                    self._file.write(memoryview(kept.view(torch.uint8).numpy()).cast("B"))
                done += len(part)
                progress(done, len(self.lengths))
        self._file.flush()
        return True


def computed_once(
    found: Assembled, bottom: Bottom, folder: Path, passes: float, progress: Callable[[int, int], None]
) -> Items | None:
    """The training items with what comes out of the bottom, in a file in `folder`; None where that does not pay, where
    there is no room for it, or where the model cannot be read in two parts. `passes` over all items are planned."""
    size = int(found.train.lengths.sum()) * found.card.hidden * 4
    room = min(_MOST_BYTES, shutil.disk_usage(folder.parent).free - _LEFT_FREE)
    # What an attack shifts and a task draws anew at each step lies below the bottom.
    if passes < KEPT_PASSES or size > room or found.options.adversarial != "off" or found.task.draws:
        return None
    folder.mkdir(exist_ok=True)
    kept = KeptItems(found.train, folder)
    found.model.eval()
    return kept if kept.write(found, bottom, progress) else None
