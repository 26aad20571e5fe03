"""Checkpoints: whole or not at all, every kind of damage named, the newest sound one used."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.training import checkpoints
from studio.training.checkpoints import (
    MANIFEST,
    OPTIMIZER,
    RANDOM,
    STATE,
    WEIGHTS,
    Checkpoints,
    Snapshot,
    random_states,
    restore_random_states,
)


def snapshot(step: int) -> Snapshot:
    tensors, rest = random_states()
    weights = {"layer.weight": torch.full((64, 64), float(step)), "layer.bias": torch.arange(64.0)}
    moments = {f"layer.weight.{name}": torch.ones(64, 64) * step for name in ("exp_avg", "exp_avg_sq")}
    moments["layer.weight.step"] = torch.tensor(float(step))
    return Snapshot(step, weights, moments, tensors, {"random": rest, "best": None})


@pytest.fixture
def kept(tmp_path) -> Checkpoints:
    """Two sound checkpoints, of steps 6 and 8."""
    found = Checkpoints(tmp_path / "checkpoints", "mine")
    found.save(snapshot(6))
    found.save(snapshot(8))
    return found


def flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    file.write_bytes(raw)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def half_written(folder: Path) -> None:
    newer = folder.parent / "step-00000009"
    newer.mkdir()
    (newer / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:1000])


DAMAGES = {
    "weights missing": (lambda folder: (folder / WEIGHTS).unlink(), "missing", WEIGHTS, 6),
    "optimizer missing": (lambda folder: (folder / OPTIMIZER).unlink(), "missing", OPTIMIZER, 6),
    "random state missing": (lambda folder: (folder / RANDOM).unlink(), "missing", RANDOM, 6),
    "numbers missing": (lambda folder: (folder / STATE).unlink(), "missing", STATE, 6),
    "one bit of the weights": (lambda folder: flip(folder / WEIGHTS), "content", WEIGHTS, 6),
    "weights cut": (lambda folder: cut(folder / WEIGHTS), "size", WEIGHTS, 6),
    "optimizer cut": (lambda folder: cut(folder / OPTIMIZER), "size", OPTIMIZER, 6),
    "numbers cut": (lambda folder: cut(folder / STATE), "size", STATE, 6),
    "a newer one half written": (half_written, "no_manifest", MANIFEST, 8),
    "list of files cut": (lambda folder: cut(folder / MANIFEST), "unreadable", MANIFEST, 6),
    "list of files without an entry": (
        lambda folder: (folder / MANIFEST).write_text(
            json.dumps({"format": 1, "fingerprint": "mine", "step": 8, "files": {}})
        ),
        "missing",
        OPTIMIZER,
        6,
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(kept, kind):
    damage, code, file, used = DAMAGES[kind]
    damage(kept.folder / "step-00000008")
    found, skipped = kept.newest()
    assert found.step == used
    assert float(found.weights["layer.weight"][0, 0]) == used
    assert [(fault.code, fault.file) for _, fault in skipped] == [(code, file)]


def test_without_a_sound_one_there_is_none(kept):
    for folder in kept.folder.iterdir():
        flip(folder / WEIGHTS)
    found, skipped = kept.newest()
    assert found is None
    assert [name for name, _ in skipped] == ["step-00000008", "step-00000006"]


def test_a_checkpoint_made_with_other_settings_is_skipped(kept):
    found, skipped = Checkpoints(kept.folder, "other").newest()
    assert found is None
    assert {fault.code for _, fault in skipped} == {"other_run"}


def test_two_are_kept_and_the_best_apart(kept):
    kept.save(snapshot(7), best=True)
    kept.save(snapshot(9), best=True)
    kept.save(snapshot(10))
    assert sorted(entry.name for entry in kept.folder.iterdir()) == ["best-00000009", "step-00000008", "step-00000010"]
    assert not (kept.folder / "best-00000009" / OPTIMIZER).exists()


def test_a_run_that_continues_forgets_its_future(kept):
    kept.save(snapshot(7), best=True)
    kept.forget_after(6)
    assert [entry.name for entry in kept.folder.iterdir()] == ["step-00000006"]


def test_saving_over_a_damaged_one_of_the_same_step(kept):
    flip(kept.folder / "step-00000008" / WEIGHTS)
    kept.save(snapshot(8))
    found, skipped = kept.newest()
    assert (found.step, skipped) == (8, [])


class Fault(BaseException):
    """Not an Exception, as a kill would not be caught either."""


CALLS = [(os, "fsync"), (os, "rename"), (os, "open"), (os, "close"), (os, "mkdir"), (Path, "write_text")]


def test_whatever_call_of_the_writer_fails_a_sound_checkpoint_is_there(tmp_path, monkeypatch):
    """Every call that changes the disk fails once, before or after it took effect."""
    count = 0

    def counting(real, after: bool, fatal: int):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count == fatal and not after:
                raise Fault
            result = real(*arguments, **options)
            if count == fatal:
                raise Fault
            return result

        return call

    def attempt(folder: Path, fatal: int, after: bool) -> int:
        nonlocal count
        found = Checkpoints(folder, "mine")
        found.save(snapshot(6))
        count = 0
        with monkeypatch.context() as patch:
            for owner, name in CALLS:
                patch.setattr(owner, name, counting(getattr(owner, name), after, fatal))
            try:
                found.save(snapshot(8))
            except Fault:
                pass
        newest, skipped = Checkpoints(folder, "mine").newest()
        assert newest is not None, (fatal, after)
        assert skipped == [], (fatal, after)
        assert newest.step in (6, 8)
        return newest.step

    attempt(tmp_path / "count", 0, False)
    calls = count
    assert calls >= 20
    steps = {attempt(tmp_path / f"{fatal}-{after}", fatal, after) for fatal in range(1, calls + 1) for after in (0, 1)}
    assert steps == {6, 8}


def test_what_an_interrupted_save_left_is_swept_by_the_next(kept):
    left = kept.folder / "tmp-step-00000009"
    left.mkdir()
    (left / WEIGHTS).write_bytes(b"half")
    assert kept.newest()[0].step == 8
    kept.save(snapshot(9))
    assert not left.exists()


def test_the_generators_continue_where_they_were():
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    np.random.standard_normal()
    tensors, rest = random_states()
    rest = json.loads(json.dumps(rest))
    expected = (random.random(), np.random.standard_normal(), torch.randn(3).tolist())
    random.seed(4), np.random.seed(4), torch.manual_seed(4)
    restore_random_states(tensors, rest)
    assert (random.random(), np.random.standard_normal(), torch.randn(3).tolist()) == expected


def test_nothing_is_unpickled():
    source = Path(checkpoints.__file__).read_text("utf-8")
    assert "torch.load" not in source
    assert "pickle" not in source
