"""The loaded models: kept while used, the least recently used given up for room, all given up after idling."""

from __future__ import annotations

import gc
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from studio.errors import UserError

SPARE = 256 * 1024 * 1024
"""Bytes that stay free for activations and for everyone else."""


class Held(Protocol):
    """What the pool holds: it knows its weights, bytes by storage, so that shared ones are counted once."""

    def parts(self) -> dict[int, int]: ...


@dataclass
class _Place:
    model: Held
    stamp: int
    users: int = 0
    used: float = 0.0


class Pool:
    """Models by (run folder, which). Belongs to one thread.

    `load(folder, which)` makes a model, `expect(folder, which)` foretells its bytes, `stamp(folder, which)` changes
    when that model was written anew, `limit` is the most bytes held at once, `free()` the machine's bytes to spare.
    """

    def __init__(
        self,
        load: Callable[[Path, str], Held],
        expect: Callable[[Path, str], int],
        stamp: Callable[[Path, str], int],
        limit: int,
        free: Callable[[], int],
    ) -> None:
        self._load = load
        self._expect = expect
        self._stamp = stamp
        self._limit = limit
        self._free = free
        self._places: OrderedDict[tuple[Path, str], _Place] = OrderedDict()

    def __contains__(self, key: tuple[Path, str]) -> bool:
        """Whether a fresh copy is loaded, so that asking for it costs nothing."""
        place = self._places.get(key)
        return place is not None and place.stamp == self._stamp(*key)

    def held(self) -> int:
        """Bytes of all loaded models."""
        parts: dict[int, int] = {}
        for place in self._places.values():
            parts |= place.model.parts()
        return sum(parts.values())

    def names(self) -> list[str]:
        """What is loaded, the least recently used first."""
        return [f"{folder.name}:{which}" for folder, which in self._places]

    @contextmanager
    def use(self, folder: Path, which: str) -> Iterator[Held]:
        """The model, loaded when it is not; it is not given up while in use."""
        place = self._take(folder, which)
        place.users += 1
        try:
            yield place.model
        finally:
            place.users -= 1
            place.used = time.monotonic()

    def _take(self, folder: Path, which: str) -> _Place:
        key, stamp = (folder, which), self._stamp(folder, which)
        if key not in self:
            self._places.pop(key, None)
            self._make_room(folder.name, self._expect(folder, which))
            self._places[key] = _Place(self._load(folder, which), stamp, used=time.monotonic())
        self._places.move_to_end(key)
        return self._places[key]

    def _make_room(self, name: str, needed: int) -> None:
        """Give up idle models until `needed` bytes fit. Raises UserError (`inference_memory`) when they cannot."""
        while self.held() + needed > self._limit or self._free() < needed + SPARE:
            idle = next((key for key, place in self._places.items() if place.users == 0), None)
            if idle is None:
                break
            self._places.pop(idle)
            gc.collect()
        free = self._free()
        if free < needed + SPARE:
            sizes = {"needed": f"{(needed + SPARE) / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
            raise UserError("inference_memory", model=name, **sizes)

    def give_up(self, idle_seconds: float = 0.0, folder: Path | None = None) -> int:
        """Unload what nobody uses and nobody used for `idle_seconds` (only of `folder` when given); how many."""
        now = time.monotonic()
        old = [
            key
            for key, place in self._places.items()
            if place.users == 0 and now - place.used >= idle_seconds and folder in (None, key[0])
        ]
        for key in old:
            del self._places[key]
        if old:
            gc.collect()
        return len(old)
