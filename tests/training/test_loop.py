"""The loop: exact accumulation, exact resume, stops, the best kept, numbers that are not finite."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from tiny_training import reviews, save_encoder

from studio.events import Caution, Checkpoint, Eval, Note, Step
from studio.methods.base import methods
from studio.tasks.base import tasks
from studio.training.batching import ListItems
from studio.training.checkpoints import Checkpoints
from studio.training.job import Job, Score
from studio.training.loop import Loop
from studio.training.options import TrainingOptions
from studio.training.schedule import evaluation_steps, is_better, rate_at
from studio.training.settling import seed_everything

FACTS = {"labels": ["negative", "positive"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def base_without_dropout(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("plain"), dropout=0.0)


def job(base: Path, folder: Path, method: str = "full", steps: int = 12, validate=None, **options) -> Job:
    """A job over 40 reviews in batches of 8 (5 steps an epoch)."""
    from transformers import AutoTokenizer

    seed_everything(1)
    task = tasks.get("classification")
    task_options = dataclasses.replace(task.Options(), dropout=options.pop("dropout", 0.1))
    model = methods.get(method).prepare(
        task.load(str(base), FACTS, task_options), task.peft_type, methods.get(method).Options()
    )
    chosen = TrainingOptions(**{"batch_size": 8, "learning_rate": 1e-3, "micro_batch": 8, **options})
    items = task.encode(reviews(40), AutoTokenizer.from_pretrained(base), FACTS, 32)
    return Job(
        task=task,
        task_options=task_options,
        model=model,
        train=ListItems(items),
        options=chosen,
        steps=steps,
        micro_batch=chosen.micro_batch,
        checkpoints=Checkpoints(folder, "same"),
        validate=validate or (lambda model: Score(1.0, {}, 0.5, [])),
        seed=1,
        head=task.head,
    )


def stop_after(loop: Loop, step: int, wish: str = "stop"):
    return lambda: wish if loop.step >= step else None


def weights(loop: Loop) -> dict[str, torch.Tensor]:
    return {name: part.detach().clone() for name, part in loop.job.model.named_parameters() if part.requires_grad}


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_a_resumed_run_ends_with_the_same_bits(base, tmp_path, method, step):
    """Stopped in the middle of an epoch (1, 3, 8) and at its end (5), with dropout and micro-batches."""
    whole = Loop(job(base, tmp_path / "whole", method, micro_batch=3), lambda event: None)
    assert whole.run(lambda: None).reason == "finished"

    first = Loop(job(base, tmp_path / "parts", method, micro_batch=3), lambda event: None)
    assert first.run(stop_after(first, step)).step == step
    torch.randn(7)  # another process, another state of the generators
    second = Loop(job(base, tmp_path / "parts", method, micro_batch=3), lambda event: None)
    torch.manual_seed(99)
    assert second.resume() == step
    second.run(lambda: None)

    assert (second.step, second.elapsed > 0) == (12, True)
    expected, found = weights(whole), weights(second)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("micro_batch", [4, 3, 1])
def test_parts_of_a_batch_give_the_step_of_the_whole(base_without_dropout, tmp_path, micro_batch):
    events: dict[int, list[Step]] = {8: [], micro_batch: []}
    after = {}
    for size, told in events.items():
        loop = Loop(
            job(base_without_dropout, tmp_path / str(size), steps=4, micro_batch=size, dropout=0.0), told.append
        )
        loop.run(lambda: None)
        after[size] = weights(loop)
    for one, other in zip(events[8], events[micro_batch], strict=True):
        if isinstance(one, Step):
            assert other.loss == pytest.approx(one.loss, abs=1e-5)
            assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-3)
    assert all(torch.allclose(after[8][name], after[micro_batch][name], atol=1e-3) for name in after[8])


def test_a_bound_on_tokens_gives_the_step_of_the_whole(base_without_dropout, tmp_path):
    losses, parts = {}, []
    for most in (0, 40):
        made, told = job(base_without_dropout, tmp_path / str(most), steps=6, dropout=0.0), []
        made.micro_tokens = most
        real = made.task.loss
        made.task = type("Counted", (type(made.task),), {})()
        made.task.loss = lambda model, batch, options, most=most, real=real: (
            parts.append((most, batch["input_ids"].numel())) or real(model, batch, options)
        )
        Loop(made, told.append).run(lambda: None)
        losses[most] = [event.loss for event in told if isinstance(event, Step)]
    assert losses[40] == pytest.approx(losses[0], abs=1e-5)
    assert max(size for most, size in parts if most) <= 40 < max(size for most, size in parts if not most)


def test_the_loss_falls_and_every_step_is_told(base, tmp_path):
    told = []
    made = job(base, tmp_path, steps=30, learning_rate=5e-3, head_learning_rate=2e-2)
    outcome = Loop(made, told.append).run(lambda: None)
    steps = [event for event in told if isinstance(event, Step)]
    assert outcome.reason == "finished"
    assert [event.step for event in steps] == list(range(1, 31))
    assert steps[-1].loss < 0.5 * steps[0].loss
    assert steps[4].epoch == pytest.approx(1.0)
    assert all(event.rate > 0 and event.memory > 1_000_000 for event in steps)
    assert told[-1] == Checkpoint(30)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_sound_checkpoint(base, tmp_path):
    told = []
    loop = Loop(job(base, tmp_path, checkpoint_every=2), told.append)
    poisoned = loop.job.task.loss

    class Poisoned(type(loop.job.task)):
        def loss(self, model, batch, options):
            return poisoned(model, batch, options) * (math.nan if loop.step >= 4 else 1.0)

    loop.job.task = Poisoned()
    outcome = loop.run(lambda: None)
    assert (outcome.reason, outcome.step) == ("non-finite", 4)
    last = [event for event in told if isinstance(event, Step)][-1]
    assert (last.step, last.loss, last.gradient_norm) == (5, None, None)
    snapshot, damaged = loop.job.checkpoints.newest()
    assert (snapshot.step, damaged) == (4, [])
    assert all(torch.isfinite(part).all() for part in weights(loop).values())


def test_a_gradient_that_is_no_number_changes_nothing(base, tmp_path):
    loop = Loop(job(base, tmp_path), lambda event: None)
    before = weights(loop)
    head = next(part for name, part in loop.job.model.named_parameters() if "classifier.weight" in name)
    head.register_hook(lambda gradient: gradient * math.inf)
    assert loop.run(lambda: None).reason == "non-finite"
    assert all(torch.equal(before[name], part) for name, part in weights(loop).items())


def test_it_ends_early_and_gives_the_best_weights_back(base, tmp_path):
    scores = iter([0.5, 0.8, 0.7, 0.8, 0.6, 0.9])
    told, seen = [], {}

    def validate(model):
        loop_now = weights(loop)
        seen[loop.step] = loop_now
        return Score(1.0, {"macro_f1": 0.0}, next(scores), [])

    made = job(base, tmp_path, steps=12, validate=validate, patience=2)
    made.eval_steps = evaluation_steps(12, 6)
    loop = Loop(made, told.append)
    outcome = loop.run(lambda: None)
    assert (outcome.reason, outcome.step, outcome.best_step, outcome.best) == ("early", 8, 4, 0.8)
    assert [event.best for event in told if isinstance(event, Eval)] == [True, True, False, False]
    assert loop.restore_best()
    assert all(torch.equal(seen[4][name], part) for name, part in weights(loop).items())


def test_patience_and_the_best_survive_a_resume(base, tmp_path):
    scores = iter([0.9, 0.5])
    made = job(base, tmp_path, validate=lambda model: Score(1.0, {}, next(scores), []), patience=2)
    made.eval_steps = evaluation_steps(12, 6)
    first = Loop(made, lambda event: None)
    first.run(stop_after(first, 5))
    second = Loop(job(base, tmp_path), lambda event: None)
    second.resume()
    assert (second.best, second.best_step, second.waited) == ((0.9, 1.0), 2, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_really_fills_is_said_and_survived(base, tmp_path):
    """safetensors tells of a full disk by an exception of its own, which no made-up OSError would show."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system mounts nothing")

    def fill(model):
        (place / "filler").write_bytes(b"x" * (shutil.disk_usage(place).free - 20_000))
        return Score(1.0, {}, 0.5, [])

    try:
        told = []
        made = job(base, place / "checkpoints", steps=8, checkpoint_every=2, validate=fill)
        made.eval_steps = frozenset({5})
        outcome = Loop(made, told.append).run(lambda: None)
        assert (outcome.reason, outcome.step) == ("finished", 8)
        assert [event.step for event in told if isinstance(event, Checkpoint) if not event.best] == [2, 4]
        cautions = [event for event in told if isinstance(event, Caution)]
        # Said once, when the best of step 5 did not fit; not again at each that was due.
        assert [(event.code, event.step) for event in cautions] == [("timeline.saving_paused", 5)]
        snapshot, skipped = made.checkpoints.newest()
        assert (snapshot.step, skipped) == (4, [])
        (place / "filler").unlink()
        again = Loop(job(base, place / "checkpoints", steps=8), told.append)
        assert again.resume() == 4
        assert again.run(lambda: None).step == 8
        assert told[-1] == Checkpoint(8)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_survived(base, tmp_path, monkeypatch):
    import errno

    from studio.training import checkpoints

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "_measure", full)
    told = []
    outcome = Loop(job(base, tmp_path, steps=4, checkpoint_every=2), told.append).run(lambda: None)
    cautions = [event for event in told if isinstance(event, Caution)]
    assert outcome.reason == "finished"
    assert [(event.code, event.step) for event in cautions] == [("timeline.saving_paused", 2)]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_otherwise_is_told_by_its_reason_and_a_later_save_says_that_it_works_again(
    base, tmp_path, monkeypatch
):
    import errno

    from studio.training import checkpoints

    sound, calls = checkpoints._measure, []

    def failing(file):
        calls.append(file)
        if len(calls) < 3:
            raise OSError(errno.EIO, "Input/output error")
        return sound(file)

    monkeypatch.setattr(checkpoints, "_measure", failing)
    told = []
    Loop(job(base, tmp_path, steps=8, checkpoint_every=2), told.append).run(lambda: None)
    spoken = [event for event in told if isinstance(event, Caution | Note)]
    assert [(event.code, event.step) for event in spoken] == [
        ("timeline.checkpoint_unsaved", 2),
        ("timeline.saving_again", 6),
    ]
    assert spoken[0].values == {"reason": "Input/output error"}


def test_a_checkpoint_for_which_there_is_no_room_is_not_begun(base, tmp_path, monkeypatch):
    """Half of one would take the last room from the events and the database."""
    from types import SimpleNamespace

    from studio.training import checkpoints

    written, free = [], [10**9]
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda place: SimpleNamespace(free=free[0]))
    real = checkpoints._write_tensors
    monkeypatch.setattr(checkpoints, "_write_tensors", lambda part, file: (written.append(file), real(part, file)))
    loop = Loop(job(base, tmp_path, steps=2, checkpoint_every=1), lambda event: None)
    loop.run(lambda: None)
    assert written
    size = sum(file.stat().st_size for file in (tmp_path / "step-00000002").iterdir() if file.suffix == ".safetensors")
    for free[0], fits in ((size // 2, False), (size, True)):
        written.clear()
        again = Loop(job(base, tmp_path / str(fits), steps=1, checkpoint_every=1), lambda event: None)
        again.run(lambda: None)
        assert bool(written) == fits


def test_a_checkpoint_of_another_shape_is_refused_before_anything_changes(base, tmp_path):
    first = Loop(job(base, tmp_path, steps=2), lambda event: None)
    first.run(lambda: None)
    told = []
    second = Loop(job(base, tmp_path, "lora", steps=2), told.append)
    before = weights(second)
    assert second.resume() == 0
    assert [event.code for event in told] == ["timeline.checkpoint_unfit"]
    assert all(torch.equal(before[name], part) for name, part in weights(second).items())


def test_the_new_layer_learns_at_its_own_rate_and_norms_do_not_decay(base, tmp_path):
    loop = Loop(job(base, tmp_path, "lora", learning_rate=1e-4, head_learning_rate=1e-2), lambda event: None)
    found = {}
    for group in loop._optimizer.param_groups:
        for part in group["params"]:
            found[loop._names[id(part)]] = (group["top"], group["weight_decay"])
    heads = {name for name in found if "classifier" in name}
    assert len(heads) == 2
    assert all((rate == 1e-2) == (name in heads) for name, (rate, _) in found.items())
    assert all((decay == 0) == name.endswith("bias") for name, (_, decay) in found.items())


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0.5, 1.0, 1.0, 0.875, 0.125]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.5, 1.0, 1.0, 0.962, 0.038]),
    ],
)
def test_the_rate_rises_then_follows_its_schedule(schedule, expected):
    options = TrainingOptions(schedule=schedule, warmup_share=0.2)
    assert [rate_at(step, 10, options) for step in (1, 2, 3, 4, 10)] == pytest.approx(expected, abs=1e-3)


def test_equal_scores_are_decided_by_the_loss():
    assert is_better((0.8, 0.5), (0.8, 0.6), lower_is_better=False)
    assert not is_better((0.8, 0.7), (0.8, 0.6), lower_is_better=False)
    assert is_better((2.0, 2.0), (2.1, 2.1), lower_is_better=True)
    assert not is_better((2.2, 2.2), (2.1, 2.1), lower_is_better=True)


def test_scores_a_row_apart_are_decided_by_the_loss_too():
    assert is_better((0.97, 0.15), (1.0, 0.25), lower_is_better=False, tie=0.04)
    assert not is_better((0.97, 0.30), (0.96, 0.25), lower_is_better=False, tie=0.04)
    assert is_better((0.97, 0.30), (0.90, 0.25), lower_is_better=False, tie=0.04)


def test_evaluations_are_spread_and_the_last_step_is_one():
    assert evaluation_steps(10, 3) == {3, 7, 10}
    assert evaluation_steps(2, 5) == {1, 2}
