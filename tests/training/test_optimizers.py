"""The optimizers: each one learns and goes on bit for bit, the method's own rates reach it, and what is missing is said."""

import dataclasses
import importlib.util

import pytest
import torch
from spoken import check_spoken
from test_loop import base, job, stop_after, weights  # noqa: F401 - base is a fixture
from tiny_training import machine

from studio.errors import UserError
from studio.events import Step
from studio.methods.base import methods
from studio.models.card import Card
from studio.tasks.base import tasks
from studio.training import optimizer
from studio.training.loop import Loop
from studio.training.options import OPTIMIZERS, TrainingOptions
from studio.training.plan import Case, plan

RATES = {"sgd": 0.1}


def ready(key: str) -> None:
    if optimizer.lacks_library(TrainingOptions(optimizer=key)):
        pytest.skip("bitsandbytes is not installed (extra: quant)")


@pytest.mark.parametrize("key", OPTIMIZERS)
def test_it_learns_and_a_resumed_run_ends_with_the_same_bits(base, tmp_path, key):  # noqa: F811
    ready(key)
    wanted = {
        "optimizer": key,
        "checkpoint_every": 4,
        "learning_rate": RATES.get(key, 1e-2),
        "head_learning_rate": RATES.get(key, 1e-2),
        "steps": 30,
    }
    told = []
    whole = Loop(job(base, tmp_path / "whole", **wanted), told.append)
    whole.run(lambda: None)
    losses = [event.loss for event in told if isinstance(event, Step)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    first = Loop(job(base, tmp_path / "parts", **wanted), lambda event: None)
    first.run(stop_after(first, 17))
    second = Loop(job(base, tmp_path / "parts", **wanted), lambda event: None)
    assert second.resume() == 17
    second.run(lambda: None)
    for name, part in weights(second).items():
        assert torch.equal(part, weights(whole)[name]), name


def test_lora_plus_gives_the_b_matrices_a_rate_of_their_own(base, tmp_path):  # noqa: F811
    method = methods.get("lora")
    made = job(base, tmp_path, "lora", learning_rate=1e-3, head_learning_rate=5e-3)
    options = method.Options(rate_ratio=8.0)
    loop = Loop(dataclasses.replace(made, pace=lambda name: method.pace(name, options)), lambda event: None)
    found = {loop._names[id(part)]: group["top"] for group in loop._optimizer.param_groups for part in group["params"]}
    assert {rate for name, rate in found.items() if ".lora_B." in name} == {8e-3}
    assert {rate for name, rate in found.items() if ".lora_A." in name} == {1e-3}
    assert {rate for name, rate in found.items() if "classifier" in name} == {5e-3}


def test_without_its_library_the_choice_is_refused_with_the_remedy(monkeypatch):
    seen = importlib.util.find_spec
    monkeypatch.setattr(optimizer, "find_spec", lambda name: None if name == "bitsandbytes" else seen(name))
    with pytest.raises(UserError) as caught:
        optimizer.build(TrainingOptions(optimizer="adamw-8bit"), [torch.nn.Parameter(torch.zeros(2))], "cpu")
    check_spoken(caught.value, "optimizer_missing", library="bitsandbytes")
    assert not optimizer.lacks_library(TrainingOptions())


def test_the_plan_gives_sgd_larger_rates_and_counts_what_an_optimizer_keeps():
    card = Card("x:y", "Y", None, 100_000_000, 20_000_000, 0, "encoder", "bert", 768, 12, 12, 30_000, 512)
    case = Case(tasks.get("classification"), card, methods.get("full"), [30] * 50, machine(), 5000)
    plain = plan(case, "quick")
    sgd = plan(case, "quick", {"optimizer": "sgd"})
    assert sgd.options["learning_rate"] == optimizer.SGD_PACE * plain.options["learning_rate"]
    memory = {key: plan(case, "quick", {"optimizer": key}).estimate.memory_bytes for key in OPTIMIZERS}
    assert memory["adafactor"] < memory["adamw-8bit"] < memory["sgd"] < memory["adamw"]
