from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import UserError
from studio.inference.pool import SPARE, Pool

A, B, C = Path("a"), Path("b"), Path("c")
MEGA = 1_000_000


class Weights:
    def __init__(self, parts):
        self._parts = parts

    def parts(self):
        return self._parts


class Machine:
    """Counts loads; `sizes` by folder, `shared` weights that every model holds besides its own."""

    def __init__(self, sizes=None, free=10**12, limit=10**12, shared=0):
        self.sizes = sizes or {}
        self.stamps: dict[Path, int] = {}
        self.loaded: list[str] = []
        self.free = free
        self.shared = shared
        self.pool = Pool(self.load, self.expect, lambda run, which: self.stamps.get(run, 0), limit, lambda: self.free)

    def load(self, run, which):
        self.loaded.append(f"{run}:{which}")
        return Weights({id(self): self.shared, hash((run, which)): self.sizes.get(run, 0)})

    def expect(self, run, which):
        return self.sizes.get(run, 0)

    def touch(self, *runs):
        for run in runs:
            with self.pool.use(run, "tuned"):
                pass


def test_a_loaded_model_is_kept_and_a_new_version_is_loaded():
    machine = Machine()
    machine.touch(A, A)
    assert machine.loaded == ["a:tuned"]
    assert (A, "tuned") in machine.pool
    machine.stamps[A] = 1
    assert (A, "tuned") not in machine.pool
    machine.touch(A)
    assert machine.loaded == ["a:tuned"] * 2
    assert machine.pool.names() == ["a:tuned"]


def test_the_least_recently_used_makes_room():
    machine = Machine({A: 40 * MEGA, B: 40 * MEGA, C: 40 * MEGA}, limit=100 * MEGA)
    machine.touch(A, B, A, C)
    assert machine.pool.names() == ["a:tuned", "c:tuned"]
    assert machine.pool.held() == 80 * MEGA


def test_shared_weights_are_counted_once():
    machine = Machine({A: MEGA, B: MEGA}, shared=50 * MEGA, limit=60 * MEGA)
    machine.touch(A, B)
    assert machine.pool.held() == 52 * MEGA
    assert machine.pool.names() == ["a:tuned", "b:tuned"]


def test_a_model_in_use_stays():
    machine = Machine({A: 40 * MEGA, B: 40 * MEGA}, limit=50 * MEGA)
    with machine.pool.use(A, "tuned"):
        machine.touch(B)
        assert set(machine.pool.names()) == {"a:tuned", "b:tuned"}
        machine.pool.give_up()
        assert machine.pool.names() == ["a:tuned"]
    assert machine.pool.give_up() == 1
    assert machine.pool.names() == []


def test_too_little_memory_is_said_before_loading():
    machine = Machine({A: 700 * MEGA}, free=500 * MEGA)
    with pytest.raises(UserError) as caught:
        machine.touch(A)
    assert caught.value.code == "inference_memory"
    assert caught.value.values == {"model": "a", "needed": f"{(700 * MEGA + SPARE) / 1e9:.1f}", "free": "0.5"}
    assert machine.loaded == []


def test_idle_models_are_given_up_busy_and_fresh_ones_not(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("studio.inference.pool.time.monotonic", lambda: now[0])
    machine = Machine()
    machine.touch(A)
    now[0] += 200
    machine.touch(B)
    now[0] += 150
    assert machine.pool.give_up(300) == 1
    assert machine.pool.names() == ["b:tuned"]
    machine.touch(C)
    assert machine.pool.give_up(0, B) == 1
    assert machine.pool.names() == ["c:tuned"]
